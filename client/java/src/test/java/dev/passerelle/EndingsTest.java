package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.rpc.ErrorInfo;
import dev.passerelle.v1.ActivationServiceGrpc.ActivationServiceImplBase;
import dev.passerelle.v1.Column;
import dev.passerelle.v1.ExportLogsRequest;
import dev.passerelle.v1.ExportLogsResponse;
import dev.passerelle.v1.ImportProfilesRequest;
import dev.passerelle.v1.ImportProfilesResponse;
import dev.passerelle.v1.IngestAck;
import dev.passerelle.v1.IngestFinished;
import dev.passerelle.v1.LogEntry;
import dev.passerelle.v1.LogServiceGrpc.LogServiceImplBase;
import dev.passerelle.v1.ProfileServiceGrpc.ProfileServiceImplBase;
import dev.passerelle.v1.StreamMembersRequest;
import dev.passerelle.v1.StreamMembersResponse;
import dev.passerelle.v1.StreamOpened;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Where streams end, and where they break off, by a server that answers each call from a script. */
class EndingsTest {
  private static final Status OK = Status.OK;
  private static final Status GONE = Status.UNAVAILABLE.withDescription("gone");
  private static final String EARLY = "the server ended the stream before it was finished";
  /** Nothing but the first failure is within it. */
  private static final Duration SHORT = Duration.ofMillis(1);

  private static final StreamMembersResponse HEADER = StreamMembersResponse.newBuilder().setResumeToken("begun")
      .setHeader(StreamMembersResponse.Header.getDefaultInstance()).build();
  private static final StreamMembersResponse BATCH = StreamMembersResponse.newBuilder().setResumeToken("later")
      .setBatch(StreamMembersResponse.Batch.newBuilder().addIdentities(Column.getDefaultInstance())).build();
  private static final StreamMembersResponse TRAILER = StreamMembersResponse.newBuilder().setResumeToken("ended")
      .setTrailer(StreamMembersResponse.Trailer.newBuilder().setEndToken("end")).build();

  private final Script server = new Script();
  private Server listening;
  private Client client;

  @BeforeEach
  void start() throws IOException {
    listening = Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
        .addService(server.new Members()).addService(server.new Logs()).addService(server.new Profiles())
        .build().start();
    client = Client.connect("127.0.0.1:" + listening.getPort());
  }

  @AfterEach
  void stop() throws InterruptedException {
    client.close();
    listening.shutdownNow().awaitTermination();
  }

  private static ExportLogsResponse header(long sequence) {
    ExportLogsResponse.Header header = ExportLogsResponse.Header.newBuilder().setEndSequence(2).build();
    return ExportLogsResponse.newBuilder().setHeader(header).setCursor("c" + sequence).setSequence(sequence).build();
  }

  private static ExportLogsResponse row(long sequence) {
    return ExportLogsResponse.newBuilder().addRows(LogEntry.newBuilder().setSequence(sequence))
        .setCursor("c" + sequence).setSequence(sequence).build();
  }

  private static ImportProfilesResponse opened(long offset) {
    StreamOpened opened = StreamOpened.newBuilder().setNextOffset(offset).setMaxBatchRecords(1).build();
    return ImportProfilesResponse.newBuilder().setOpened(opened).build();
  }

  private static ImportProfilesResponse ack(long offset) {
    return ImportProfilesResponse.newBuilder().setAck(IngestAck.newBuilder().setNextOffset(offset)).build();
  }

  private static ImportProfilesResponse finished(long total) {
    return ImportProfilesResponse.newBuilder().setFinished(IngestFinished.newBuilder().setTotalRecords(total)).build();
  }

  private List<Long> export(ExportOptions options) {
    try (LogExport export = client.exportLogs(options.retryFor(SHORT))) {
      return export.stream().flatMap(batch -> batch.rows().stream()).map(LogEntry::getSequence).toList();
    }
  }

  private String members() {
    try (MemberStream members = client.streamMembers("vip", "email", new MemberOptions().retryFor(SHORT))) {
      members.iterator().forEachRemaining(member -> {});
      return members.endToken();
    }
  }

  private IngestResult ingest(String stream) {
    List<Row> rows = IntStream.range(0, 2).mapToObj(i -> Row.of("external_id", "p" + i)).toList();
    return client.importProfiles(rows, new IngestOptions().identities("external_id").stream(stream));
  }

  private void assertGivenUpAfter(int calls, String words, Runnable work) {
    PasserelleException failure = assertThrows(PasserelleException.class, work::run);
    assertEquals(words, failure.words());
    assertEquals(Status.Code.UNAVAILABLE, failure.code());
    assertTrue(failure.retryable());
    assertEquals(calls, server.asked.size());
  }

  @Test
  void membersAreWholeWithTheirTrailerOnly() {
    server.answers(OK, HEADER).answers(OK, HEADER, BATCH).answers(OK, HEADER, BATCH, TRAILER);
    assertEquals("end", members());
    assertEquals(List.of("", "begun", "later"), server.asked);
  }

  @Test
  void membersWhoseTrailerCameAreWholeHoweverTheCallEnds() {
    server.answers(GONE, HEADER, BATCH, TRAILER);
    assertEquals("end", members());
    assertEquals(List.of(""), server.asked);
  }

  @Test
  void membersThatNeverEndAreGivenUp() {
    server.answers(OK, HEADER).answers(OK, HEADER).answers(OK, HEADER);
    assertGivenUpAfter(2, EARLY, this::members);
  }

  @Test
  void aHeaderOfMembersIsNoProgress() {
    server.answers(GONE, HEADER).answers(GONE, HEADER).answers(GONE, HEADER);
    assertGivenUpAfter(2, "gone", this::members);
  }

  @Test
  void anExportEndsAtTheSequenceThatItsHeaderTells() {
    server.answers(OK, header(0), row(1)).answers(OK, header(1), row(2));
    assertEquals(List.of(1L, 2L), export(new ExportOptions()));
    assertEquals(List.of("", "c1"), server.asked);
    server.answers(OK, header(2));
    assertEquals(List.of(), export(new ExportOptions().cursor("c2")));
    assertEquals(List.of("", "c1", "c2"), server.asked);
  }

  @Test
  void anExportThatNeverEndsIsGivenUp() {
    server.answers(OK, header(0)).answers(OK, header(0)).answers(OK, header(0));
    assertGivenUpAfter(2, EARLY, () -> export(new ExportOptions()));
  }

  @Test
  void aHeaderOfAnExportIsNoProgress() {
    server.answers(GONE, header(0)).answers(GONE, header(0)).answers(GONE, header(0));
    assertGivenUpAfter(2, "gone", () -> export(new ExportOptions()));
  }

  @Test
  void anExportThatFollowsHasNoEnd() {
    server.answers(OK, header(0), row(2)).answers(OK, header(2)).answers(OK, header(2));
    assertGivenUpAfter(2, EARLY, () -> export(new ExportOptions().follow()));
  }

  @Test
  void anIngestThatEndsTooEarlyGoesOnIfItHasAName() {
    server.answers(OK, opened(0), ack(1)).answers(OK, opened(1), ack(2), finished(2));
    assertEquals(1, ingest("people").reconnects());
    server.asked.clear();
    server.answers(OK, opened(0), ack(1)).answers(OK, opened(0), ack(1), ack(2), finished(2));
    assertGivenUpAfter(1, EARLY, () -> ingest(""));
  }

  @Test
  void anIngestWhoseMappingChangedGoesOnIfItHasAName() {
    StatusRuntimeException remapped = Failures.thrown(
        Status.Code.ABORTED, "open again", ErrorInfo.newBuilder().setReason("MAPPING_CHANGED").build());
    server.answers(remapped, opened(0)).answers(OK, opened(0), ack(1), ack(2), finished(2));
    assertEquals(1, ingest("people").reconnects());
    server.asked.clear();
    server.answers(remapped, opened(0));
    PasserelleException failure = assertThrows(PasserelleException.class, () -> ingest(""));
    assertEquals("MAPPING_CHANGED", failure.reason());
    assertEquals(1, server.asked.size());
  }

  /** Each call has its answers, and then its end. */
  private static final class Script {
    final List<String> asked = new CopyOnWriteArrayList<>(); // where each call was to go on
    private final Deque<Deque<Object>> answers = new ArrayDeque<>();
    private final Deque<StatusRuntimeException> ends = new ArrayDeque<>();

    Script answers(Status end, Object... messages) {
      return answers(end.asRuntimeException(), messages);
    }

    synchronized Script answers(StatusRuntimeException end, Object... messages) {
      answers.add(new ArrayDeque<>(List.of(messages)));
      ends.add(end);
      return this;
    }

    synchronized <A> Call<A> call(String place, StreamObserver<A> out) {
      asked.add(place);
      return new Call<>(answers.remove(), ends.remove(), out);
    }

    private final class Members extends ActivationServiceImplBase {
      @Override
      public void streamMembers(StreamMembersRequest request, StreamObserver<StreamMembersResponse> out) {
        call(request.getResumeToken(), out).answerAll();
      }
    }

    private final class Logs extends LogServiceImplBase {
      @Override
      public void exportLogs(ExportLogsRequest request, StreamObserver<ExportLogsResponse> out) {
        call(request.getCursor(), out).answerAll();
      }
    }

    private final class Profiles extends ProfileServiceImplBase {
      @Override
      public StreamObserver<ImportProfilesRequest> importProfiles(StreamObserver<ImportProfilesResponse> out) {
        return call("", out);
      }
    }
  }

  /** One call. Of a stream of requests each has its answer; the call ends after the last answer. */
  private record Call<A>(Deque<Object> answers, StatusRuntimeException status, StreamObserver<A> out)
      implements StreamObserver<ImportProfilesRequest> {
    @SuppressWarnings("unchecked")
    private void answer() {
      out.onNext((A) answers.remove());
    }

    private void end() {
      if (status.getStatus().isOk()) {
        out.onCompleted();
      } else {
        out.onError(status);
      }
    }

    void answerAll() {
      while (!answers.isEmpty()) {
        answer();
      }
      end();
    }

    @Override
    public void onNext(ImportProfilesRequest request) {
      if (answers.isEmpty()) {
        return; // sent before the client knew of the end
      }
      answer();
      if (answers.isEmpty()) {
        end();
      }
    }

    @Override
    public void onError(Throwable cancelled) {}

    @Override
    public void onCompleted() {}
  }
}
