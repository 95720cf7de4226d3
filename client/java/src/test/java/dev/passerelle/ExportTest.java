package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.passerelle.v1.Consumer;
import dev.passerelle.v1.CreateDeliveryRequest;
import dev.passerelle.v1.CreateSourceRequest;
import dev.passerelle.v1.Delivery;
import dev.passerelle.v1.DeliveryStatus;
import dev.passerelle.v1.GetConsumerRequest;
import dev.passerelle.v1.LogEntry;
import dev.passerelle.v1.LogFilter;
import dev.passerelle.v1.LogKind;
import dev.passerelle.v1.Source;
import io.grpc.Status;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ExportTest extends RunningServer {
  @BeforeAll
  void prepare() {
    for (String id : List.of("rare", "often", "ad-hoc")) {
      CreateDeliveryRequest request = CreateDeliveryRequest.newBuilder()
          .setParent(client.instance()).setDeliveryId(id).setDelivery(Delivery.newBuilder().setChannel("sms")).build();
      client.call(() -> client.stubs().logs().createDelivery(request));
    }
    CreateSourceRequest request = CreateSourceRequest.newBuilder()
        .setParent(client.instance()).setSourceId("rare")
        .setSource(Source.newBuilder().setSchema(LogKind.LOG_KIND_DELIVERY).addDeliveries("rare")).build();
    client.call(() -> client.stubs().sources().createSource(request));
  }

  private void append(String delivery, long id) {
    LogEntry row = LogEntry.newBuilder().setKind(LogKind.LOG_KIND_DELIVERY).setDelivery(delivery).setBroadlogId(id)
        .setStatus(DeliveryStatus.DELIVERY_STATUS_SENT).build();
    IngestResult result = client.appendLogs(List.of(row), new IngestOptions().stream(delivery + "-" + id));
    assertEquals(Map.of("APPENDED", 1L), result.counts());
  }

  private Consumer consumer() {
    String name = client.name("sources", "rare", "consumers", "default");
    return client.call(
        () -> client.stubs().sources().getConsumer(GetConsumerRequest.newBuilder().setName(name).build()));
  }

  private List<LogBatch> export(ExportOptions options) {
    try (LogExport export = client.exportLogs(options)) {
      return export.stream().toList();
    }
  }

  private static ExportOptions byConsumer() {
    return new ExportOptions().source("rare").consumer("default");
  }

  private static int rowsOf(List<LogBatch> batches) {
    return batches.stream().mapToInt(batch -> batch.rows().size()).sum();
  }

  @Test
  void aConsumerWhoseRowsAreRareIsUpToDateAndNoRowIsAcknowledgedForIt() {
    append("often", 1);
    assertEquals(0, rowsOf(export(byConsumer())));
    assertEquals(0, consumer().getLag());
    append("rare", 2);
    List<LogBatch> rows = export(byConsumer());
    assertEquals(1, rowsOf(rows));
    String cursor = rows.get(rows.size() - 1).cursor();
    append("often", 3);
    assertEquals(0, rowsOf(export(byConsumer().cursor(cursor))));
    assertEquals(1, rowsOf(export(byConsumer())));
    assertTrue(consumer().getLag() > 0, "nobody acknowledged the row");
    try (LogExport export = client.exportLogs(byConsumer())) {
      for (LogBatch batch : export) {
        if (!batch.rows().isEmpty()) {
          batch.acknowledge();
        }
      }
    }
    assertEquals(0, rowsOf(export(byConsumer())));
    assertEquals(0, consumer().getLag());
  }

  @Test
  void anExportThatFollowsEndsWhenItIsClosedOnAnotherThread() throws InterruptedException {
    append("ad-hoc", 1);
    LogFilter only = LogFilter.newBuilder().addDeliveries("ad-hoc").build();
    try (LogExport export = client.exportLogs(new ExportOptions().filter(only).follow())) {
      Iterator<LogBatch> batches = export.iterator();
      assertEquals("ad-hoc", batches.next().rows().get(0).getDelivery());
      Thread closer = new Thread(export::close);
      closer.start();
      PasserelleException failure =
          assertThrows(PasserelleException.class, () -> batches.forEachRemaining(batch -> {}));
      assertEquals(Status.Code.CANCELLED, failure.code());
      closer.join();
      assertThrows(IllegalStateException.class, export::iterator);
    }
  }
}
