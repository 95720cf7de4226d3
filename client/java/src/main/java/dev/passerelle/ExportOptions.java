package dev.passerelle;

import dev.passerelle.v1.LogFilter;
import java.time.Duration;
import java.util.List;

/** Which log rows, and from where on. Set what is needed and hand it over; not thread-safe. */
public final class ExportOptions {
  String source = "";
  String consumer = "";
  String cursor = "";
  boolean follow;
  List<String> fields = List.of();
  LogFilter filter; // null: none, which a source insists on
  int maxBatchRows;
  Duration retryFor = Patience.RETRY_FOR;

  /** All rows that are kept. */
  public ExportOptions() {}

  /**
   * The rows and fields of a source.
   *
   * @param id without it, rows by {@link #filter} with {@link #fields}
   * @return this
   */
  public ExportOptions source(String id) {
    source = id;
    return this;
  }

  /**
   * Begins after the acknowledged position of a consumer of the source, and lets batches be acknowledged.
   *
   * @param id for example default
   * @return this
   */
  public ExportOptions consumer(String id) {
    consumer = id;
    return this;
  }

  /**
   * Begins after a cursor that the caller kept.
   *
   * @param position of a batch
   * @return this
   */
  public ExportOptions cursor(String position) {
    cursor = position;
    return this;
  }

  /**
   * Goes on as rows are appended, until it is closed.
   *
   * @return this
   */
  public ExportOptions follow() {
    follow = true;
    return this;
  }

  /**
   * The fields to send; without a source only.
   *
   * @param names of {@code LogEntry}; without any, all
   * @return this
   */
  public ExportOptions fields(String... names) {
    fields = List.of(names);
    return this;
  }

  /**
   * Which rows; without a source only.
   *
   * @param only all its conditions hold
   * @return this
   */
  public ExportOptions filter(LogFilter only) {
    filter = only;
    return this;
  }

  /**
   * Rows of one batch at most.
   *
   * @param rows 0: 2,048; at most 10,000
   * @return this
   */
  public ExportOptions maxBatchRows(int rows) {
    maxBatchRows = rows;
    return this;
  }

  /**
   * How long it waits for a server that is away, without progress.
   *
   * @param limit without it, a minute
   * @return this
   */
  public ExportOptions retryFor(Duration limit) {
    retryFor = limit;
    return this;
  }
}
