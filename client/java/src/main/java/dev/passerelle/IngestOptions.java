package dev.passerelle;

import dev.passerelle.v1.RowOutcome;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/** What an ingest is of and how it is sent. Set what is needed and hand it over; not thread-safe. */
public final class IngestOptions {
  static final int BATCH_RECORDS = 2_000;

  List<String> identities = List.of();
  List<String> fields = List.of();
  List<String> audiences = List.of();
  String stream = "";
  boolean replace;
  Instant asOf;
  Double maxRefusedPercent;
  int batchRecords = BATCH_RECORDS;
  Duration retryFor = Patience.RETRY_FOR;
  LongConsumer onProgress = offset -> {};
  Consumer<RowOutcome> onRow;

  /** Nothing set. */
  public IngestOptions() {}

  /**
   * The namespaces of the rows' identities; required but for logs.
   *
   * @param namespaces ids
   * @return this
   */
  public IngestOptions identities(String... namespaces) {
    identities = List.of(namespaces);
    return this;
  }

  /**
   * The fields that rows may have: attributes for an import, else source fields of the destination.
   *
   * @param names ids
   * @return this
   */
  public IngestOptions fields(String... names) {
    fields = List.of(names);
    return this;
  }

  /**
   * Of a push: the audiences that rows may name; exactly one with a replace.
   *
   * @param sourceIds of the destination
   * @return this
   */
  public IngestOptions audiences(String... sourceIds) {
    audiences = List.of(sourceIds);
    return this;
  }

  /**
   * Makes it durable: a run that was broken off goes on where it was, one that was finished does nothing.
   *
   * @param name a lower-case letter, then up to 62 of a-z, 0-9, '-', '_' and '.'
   * @return this
   */
  public IngestOptions stream(String name) {
    stream = name;
    return this;
  }

  /**
   * Of a push: the rows are the whole of its one audience, published at the end. Needs a stream.
   *
   * @return this
   */
  public IngestOptions replace() {
    replace = true;
    return this;
  }

  /**
   * Of a replace: the moment the rows are true for. Without it, when the stream is made.
   *
   * @param moment told at the stream's first open
   * @return this
   */
  public IngestOptions asOf(Instant moment) {
    asOf = moment;
    return this;
  }

  /**
   * Of a replace: nothing is published if more than this share of the rows is refused or unknown. Without it, 1.
   *
   * @param percent 0 to 100
   * @return this
   */
  public IngestOptions maxRefusedPercent(double percent) {
    maxRefusedPercent = percent;
    return this;
  }

  /**
   * Records of one batch at most; the server may allow less.
   *
   * @param records 1 or more; without it, 2,000
   * @return this
   */
  public IngestOptions batchRecords(int records) {
    if (records < 1) {
      throw new IllegalArgumentException("batchRecords: got " + records + ", wanted 1 or more");
    }
    batchRecords = records;
    return this;
  }

  /**
   * How long a named stream goes on without progress: it waits for a server that is away or busy, and is opened again when
   * the mapping of its destination was changed.
   *
   * @param limit without it, a minute
   * @return this
   */
  public IngestOptions retryFor(Duration limit) {
    retryFor = limit;
    return this;
  }

  /**
   * Told after each acknowledgement how many records are durable, on the thread of the ingest.
   *
   * @param listener what it throws ends the ingest
   * @return this
   */
  public IngestOptions onProgress(LongConsumer listener) {
    onProgress = listener;
    return this;
  }

  /**
   * Told of each record that did not simply apply, on the thread of the ingest; then the result does not list them.
   *
   * @param listener what it throws ends the ingest
   * @return this
   */
  public IngestOptions onRow(Consumer<RowOutcome> listener) {
    onRow = listener;
    return this;
  }

  /** Refuses what only a push has. */
  void requireNoPush() {
    if (!audiences.isEmpty() || replace || asOf != null || maxRefusedPercent != null) {
      throw new IllegalArgumentException("audiences, replace, asOf and maxRefusedPercent are for pushMembers only");
    }
  }

  /** Refuses what rows of a log do not have. */
  void requireLog() {
    requireNoPush();
    if (!identities.isEmpty() || !fields.isEmpty()) {
      throw new IllegalArgumentException("identities and fields are not for appendLogs: a log row is a message");
    }
  }

  /** Refuses parts of a replace without one. */
  void requireReplaceIfParts() {
    if (!replace && (asOf != null || maxRefusedPercent != null)) {
      throw new IllegalArgumentException("asOf and maxRefusedPercent are parts of a replace: say replace() too");
    }
  }
}
