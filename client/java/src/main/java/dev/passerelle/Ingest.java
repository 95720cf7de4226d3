package dev.passerelle;

import com.google.protobuf.MessageLite;
import dev.passerelle.v1.IngestAck;
import dev.passerelle.v1.IngestFinish;
import dev.passerelle.v1.IngestFinished;
import dev.passerelle.v1.Outcome;
import dev.passerelle.v1.OutcomeCount;
import dev.passerelle.v1.RowOutcome;
import dev.passerelle.v1.StreamOpened;
import io.grpc.Channel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;

/** The loop nobody should write alone: a durable ingest that goes on wherever it was broken off. For one thread, once. */
final class Ingest<T, Q extends MessageLite, A> {
  private static final int WINDOW_BATCHES = 4;
  // Half of what the server takes by default.
  private static final int BATCH_BYTES = 2 * 1024 * 1024;

  private final Channel channel;
  private final Supplier<IngestKind<T, Q, A>> kinds;
  private final IngestOptions options;
  private final Rows<T> rows;
  private final Patience patience;
  private final Deque<Long> inFlight = new ArrayDeque<>(); // end offsets of batches that are not acknowledged

  private IngestKind<T, Q, A> kind;
  private int limit;
  private long durable;
  private long received;
  private long alreadyKnown;
  private int reconnects;
  private String commitToken = "";
  private final Map<String, Long> counts = new TreeMap<>();
  private final List<RowOutcome> listed = new ArrayList<>();

  /** {@code kinds} reads which types the fields are of: first, and anew when a mapping was changed. */
  Ingest(Channel channel, Supplier<IngestKind<T, Q, A>> kinds, IngestOptions options, Rows<T> rows) {
    this.channel = channel;
    this.kinds = kinds;
    this.options = options;
    this.rows = rows;
    this.patience = new Patience(options.retryFor);
  }

  /** Sends all rows and returns when they are durable and accounted for. */
  IngestResult run() {
    boolean repeatable = !options.stream.isEmpty();
    kind = kinds.get();
    while (true) {
      try {
        return runOnce();
      } catch (IngestCall.Broken broken) {
        patience.await(broken.failure(), repeatable, null);
        if (broken.failure().mappingChanged()) {
          kind = kinds.get();
        }
      }
      reconnects++;
    }
  }

  private IngestResult runOnce() throws IngestCall.Broken {
    try (IngestCall<Q, A> call = new IngestCall<>(channel, kind.method())) {
      call.send(kind.open());
      begin(receive(call).opened());
      while (sendNext(call)) {
        while (inFlight.size() >= WINDOW_BATCHES) {
          take(receive(call).ack());
        }
      }
      while (!inFlight.isEmpty()) {
        take(receive(call).ack());
      }
      call.sendLast(kind.finish().apply(IngestFinish.newBuilder().setTotalRecords(rows.end()).build()));
      IngestFinished finished = receive(call).finished();
      call.leave();
      return finish(finished);
    }
  }

  private IngestKind.Answer receive(IngestCall<Q, A> call) throws IngestCall.Broken {
    return kind.answer().apply(call.receive());
  }

  private void begin(StreamOpened opened) {
    requireAnswer(opened, "opened");
    rows.seek(opened.getNextOffset());
    inFlight.clear();
    progressedTo(opened.getNextOffset());
    int allowed = opened.getMaxBatchRecords();
    limit = allowed > 0 ? Math.min(options.batchRecords, allowed) : options.batchRecords;
  }

  private void progressedTo(long offset) {
    if (offset > durable) {
      patience.progressed();
    }
    durable = offset;
  }

  /** False if there are no more rows. A message that is too large is cut anew, and so are those after it. */
  private boolean sendNext(IngestCall<Q, A> call) {
    long first = rows.next();
    List<T> batch = rows.take(limit);
    if (batch.isEmpty()) {
      return false;
    }
    Q message = kind.batch().encode(first, batch);
    while (message.getSerializedSize() > BATCH_BYTES && batch.size() > 1) {
      limit = Math.max(1, (int) ((long) batch.size() * BATCH_BYTES / message.getSerializedSize() * 3 / 4));
      rows.giveBack(first);
      batch = rows.take(limit);
      message = kind.batch().encode(first, batch);
    }
    call.send(message);
    inFlight.add(first + batch.size());
    return true;
  }

  private void take(IngestAck ack) {
    requireAnswer(ack, "an acknowledgement");
    while (!inFlight.isEmpty() && inFlight.peek() <= ack.getNextOffset()) {
      inFlight.poll();
    }
    rows.forget(ack.getNextOffset());
    progressedTo(ack.getNextOffset());
    received += ack.getReceived();
    alreadyKnown += ack.getAlreadyKnown();
    commitToken = ack.getCommitToken().isEmpty() ? commitToken : ack.getCommitToken();
    add(ack.getCountsList(), counts);
    ack.getRowsList().forEach(options.onRow == null ? listed::add : options.onRow);
    options.onProgress.accept(ack.getNextOffset());
  }

  private IngestResult finish(IngestFinished finished) {
    requireAnswer(finished, "its end");
    Map<String, Long> totals = new TreeMap<>();
    add(finished.getTotalsList(), totals);
    return new IngestResult(
        finished.getTotalRecords(),
        received,
        alreadyKnown,
        reconnects,
        Collections.unmodifiableMap(counts),
        Collections.unmodifiableMap(totals),
        Collections.unmodifiableList(listed),
        finished.getCommitToken().isEmpty() ? commitToken : finished.getCommitToken());
  }

  private static void add(List<OutcomeCount> more, Map<String, Long> sums) {
    for (OutcomeCount count : more) {
      if (count.getRows() != 0) {
        sums.merge(outcomeName(count), count.getRows(), Long::sum);
      }
    }
  }

  private static String outcomeName(OutcomeCount count) {
    Outcome outcome = count.getOutcome();
    return Names.of(outcome, count.getOutcomeValue(), "OUTCOME_");
  }

  private static void requireAnswer(Object answer, String what) {
    if (answer == null) {
      throw new IllegalStateException("the server sent another message where " + what + " was due");
    }
  }
}
