package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.passerelle.v1.DeliveryStatus;
import dev.passerelle.v1.ExportLogsResponse;
import dev.passerelle.v1.LogEntry;
import dev.passerelle.v1.SourceField;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AcknowledgementsTest {
  private final List<String> told = new ArrayList<>();
  private boolean behind = true;
  private final Acknowledgements acknowledgements = new Acknowledgements(told::add, () -> behind);

  private LogBatch give(long sequence, int rows) {
    ExportLogsResponse.Builder message =
        ExportLogsResponse.newBuilder().setSequence(sequence).setCursor("at " + sequence);
    for (int i = 0; i < rows; i++) {
      message.addRows(LogEntry.newBuilder().setSequence(sequence));
    }
    LogBatch batch = new LogBatch(message.build(), ExportLogsResponse.Header.getDefaultInstance(), acknowledgements);
    acknowledgements.give(batch);
    return batch;
  }

  @Test
  void aBatchWithoutRowsIsPassedOverOnceAllRowsBeforeItAreAcknowledged() {
    acknowledgements.begin(5, true);
    acknowledgements.passOver(give(6, 0));
    assertEquals(List.of("at 6"), told);
    LogBatch rows = give(7, 1);
    acknowledgements.passOver(rows);
    acknowledgements.passOver(give(8, 0));
    assertEquals(List.of("at 6"), told, "nobody acknowledged the rows");
    rows.acknowledge();
    acknowledgements.passOver(give(9, 0));
    assertEquals(List.of("at 6", "at 7", "at 9"), told);
  }

  @Test
  void whoIsNotBehindIsToldNothing() {
    behind = false;
    acknowledgements.begin(5, true);
    acknowledgements.passOver(give(6, 0));
    assertEquals(List.of(), told);
  }

  @Test
  void whatLiesBeforeTheCallersOwnCursorIsTheCallersToAcknowledge() {
    acknowledgements.begin(5, false);
    acknowledgements.passOver(give(6, 0));
    assertEquals(List.of(), told);
  }

  @Test
  void withoutAConsumerThereIsNobodyToTell() {
    Acknowledgements none = new Acknowledgements(null, () -> true);
    LogBatch batch = new LogBatch(
        ExportLogsResponse.getDefaultInstance(), ExportLogsResponse.Header.getDefaultInstance(), none);
    assertThrows(IllegalStateException.class, batch::acknowledge);
    none.passOver(batch);
  }

  @Test
  void recordsHaveTheNamesOfTheSourceAndReadableValues() {
    LogEntry row = LogEntry.newBuilder()
        .setEventTimeUs(1_500_000).setStatus(DeliveryStatus.DELIVERY_STATUS_SENT).setTrackingKindValue(99).build();
    ExportLogsResponse.Header.Builder header = ExportLogsResponse.Header.newBuilder();
    for (String field : List.of("event_time_us", "status", "failure_type", "tracking_kind", "url", "seed", "from_the_future")) {
      header.addFields(SourceField.newBuilder().setField(field).setRename(field.equals("status") ? "state" : ""));
    }
    LogBatch batch =
        new LogBatch(ExportLogsResponse.newBuilder().addRows(row).build(), header.build(), acknowledgements);
    Map<String, Object> wanted = new LinkedHashMap<>();
    wanted.put("event_time_us", Instant.ofEpochMilli(1_500));
    wanted.put("state", "SENT");
    wanted.put("failure_type", null);
    wanted.put("tracking_kind", "99");
    wanted.put("url", null);
    wanted.put("seed", false);
    wanted.put("from_the_future", null);
    assertEquals(List.of(wanted), batch.records());
  }
}
