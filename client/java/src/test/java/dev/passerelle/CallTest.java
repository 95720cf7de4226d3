package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.FieldMask;
import dev.passerelle.testing.TestServer;
import dev.passerelle.v1.GetInstanceRequest;
import dev.passerelle.v1.Instance;
import dev.passerelle.v1.ListProfilesRequest;
import dev.passerelle.v1.ListProfilesResponse;
import dev.passerelle.v1.UpdateInstanceRequest;
import io.grpc.Status;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CallTest extends RunningServer {
  private static Instance getInstance(Client client, String name) {
    return client.call(
        () -> client.stubs().instances().getInstance(GetInstanceRequest.newBuilder().setName(name).build()));
  }

  @Test
  void errorsAreTyped() {
    PasserelleException none =
        assertThrows(PasserelleException.class, () -> getInstance(client, "instances/none"));
    assertEquals(Status.Code.NOT_FOUND, none.code());
    assertEquals("RESOURCE_NOT_FOUND", none.reason());
    IngestOptions options = new IngestOptions().identities("external_id").fields("no_such_field");
    PasserelleException field = assertThrows(
        PasserelleException.class, () -> client.importProfiles(List.of(Row.of("external_id", "1")), options));
    assertEquals("UNKNOWN_ATTRIBUTE", field.reason());
    assertEquals("fields[0]", field.fieldViolations().get(0).field());
  }

  @Test
  void nobodyThereMayBeTriedAgainLater() {
    try (Client nobody = Client.connect("127.0.0.1:1")) {
      PasserelleException failure =
          assertThrows(PasserelleException.class, () -> getInstance(nobody, "instances/default"));
      assertTrue(failure.retryable());
      assertTrue(failure.getMessage().contains("refused"), failure.getMessage());
    }
  }

  @Test
  void aClientThatIsClosedSaysSoAndItsLoopsEnd() throws InterruptedException {
    Client closed = server.connect();
    BlockingQueue<RuntimeException> ended = new LinkedBlockingQueue<>();
    Thread follower = new Thread(() -> {
      try (LogExport export = closed.exportLogs(new ExportOptions().follow().retryFor(Duration.ofDays(1)))) {
        export.forEach(batch -> closed.close());
      } catch (IllegalStateException told) {
        ended.add(told);
      }
    });
    follower.start();
    RuntimeException told = ended.poll(60, TimeUnit.SECONDS);
    follower.interrupt();
    follower.join();
    assertEquals("the client is closed", told == null ? "nothing" : told.getMessage());
    assertThrows(IllegalStateException.class, () -> getInstance(closed, "instances/default"));
    assertThrows(
        IllegalStateException.class, () -> closed.importProfiles(people("closed", 1), cities().stream("closed")));
  }

  @Test
  void aDeadlineThatIsTooShortIsTold() {
    PasserelleException late = assertThrows(PasserelleException.class, () -> client.call(
        Duration.ofNanos(1),
        () -> client.stubs().instances().getInstance(GetInstanceRequest.getDefaultInstance())));
    assertEquals(Status.Code.DEADLINE_EXCEEDED, late.code());
  }

  @Test
  void aBusyServerIsAskedAgainWhenItSays() {
    AtomicInteger tries = new AtomicInteger();
    String answer = client.call(() -> {
      if (tries.incrementAndGet() < 3) {
        throw (io.grpc.StatusRuntimeException) Failures.overloaded(Duration.ofMillis(1)).getCause();
      }
      return "there";
    });
    assertEquals("there", answer);
    assertEquals(3, tries.get());
  }

  private Instance cutOffOnce(AtomicInteger tries, Supplier<Instance> call) {
    return client.call(() -> {
      Instance found = call.get();
      if (tries.incrementAndGet() == 1) {
        throw Status.UNKNOWN.withDescription("channel closed").withCause(new ClosedChannelException()).asRuntimeException();
      }
      return found;
    });
  }

  @Test
  void aReadWhoseConnectionBrokeUnderItIsMadeAgainAndNothingElseIs() {
    Instance instance = getInstance(client, "instances/default");
    AtomicInteger reads = new AtomicInteger();
    GetInstanceRequest get = GetInstanceRequest.newBuilder().setName(instance.getName()).build();
    assertEquals(instance, cutOffOnce(reads, () -> client.stubs().instances().getInstance(get)));
    assertEquals(2, reads.get());
    AtomicInteger writes = new AtomicInteger();
    UpdateInstanceRequest update = UpdateInstanceRequest.newBuilder().setInstance(instance)
        .setUpdateMask(FieldMask.newBuilder().addPaths("display_name")).build();
    PasserelleException failure = assertThrows(
        PasserelleException.class, () -> cutOffOnce(writes, () -> client.stubs().instances().updateInstance(update)));
    assertEquals(1, writes.get());
    assertEquals(Status.Code.UNAVAILABLE, failure.code());
  }

  @Test
  void pagesGiveEveryItemOnce() {
    client.importProfiles(people("paged", 25), cities());
    ListProfilesRequest request =
        ListProfilesRequest.newBuilder().setParent(client.instance()).setPageSize(10).build();
    Pages<dev.passerelle.v1.Profile> pages = client.pages(
        client.stubs().profiles()::listProfiles, request, ListProfilesResponse::getProfilesList);
    List<String> names = pages.stream().map(profile -> profile.getName()).toList();
    assertTrue(names.size() >= 25, "got " + names.size());
    assertEquals(names.size(), names.stream().distinct().count());
    assertEquals(names.size(), pages.stream().count(), "each iterator begins anew");
  }

  @Test
  void aUnixSocketIsSpokenTo(@TempDir Path directory) {
    Path socket = directory.resolve("p.sock");
    try (TestServer local = TestServer.start("--listen", "unix:" + socket);
        Client byPath = Client.connect("unix:" + socket)) {
      assertEquals("instances/default", getInstance(byPath, "instances/default").getName());
      assertTrue(!local.address().isEmpty());
    }
  }

  @Test
  void aServerThatComesBackIsFound(@TempDir Path directory) {
    Path socket = directory.resolve("again.sock");
    try (Client waiting = Client.connect("unix:" + socket)) {
      assertThrows(PasserelleException.class, () -> getInstance(waiting, "instances/default"));
      try (TestServer local = TestServer.startIn(directory.resolve("store"), "--listen", "unix:" + socket)) {
        Instance found = Patience.patiently(
            Duration.ofSeconds(60), () -> getInstance(waiting, "instances/default"));
        assertEquals("instances/default", found.getName());
        assertTrue(!local.address().isEmpty());
      }
    }
  }
}
