package dev.passerelle;

import dev.passerelle.v1.RowOutcome;
import java.util.List;
import java.util.Map;

/**
 * What became of one ingest. The sum of {@code counts} is {@code received}; an acknowledgement that was lost with its
 * connection is in {@code totals} only.
 *
 * @param totalRecords records of the stream
 * @param received records that this run brought
 * @param alreadyKnown records that this run sent and the server had
 * @param reconnects how often the stream was opened again
 * @param counts records of this run by outcome, for example {CREATED=2}
 * @param totals records of the stream's life by outcome
 * @param rows the records that did not simply apply, unless the options say who is told of them
 * @param commitToken hand it to a read to see at least these records
 */
public record IngestResult(
    long totalRecords,
    long received,
    long alreadyKnown,
    int reconnects,
    Map<String, Long> counts,
    Map<String, Long> totals,
    List<RowOutcome> rows,
    String commitToken) {}
