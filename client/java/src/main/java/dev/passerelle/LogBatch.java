package dev.passerelle;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.passerelle.v1.ExportLogsResponse;
import dev.passerelle.v1.LogEntry;
import dev.passerelle.v1.SourceField;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Rows and the cursor after them. Store the cursor with what you did with the rows, or acknowledge it. One without rows needs
 * no acknowledging: an export by a consumer does that itself, once every batch with rows before it is acknowledged and the
 * next one is asked for. Immutable.
 */
public final class LogBatch {
  private final ExportLogsResponse message;
  private final ExportLogsResponse.Header header;
  private final Acknowledgements acknowledgements;

  LogBatch(ExportLogsResponse message, ExportLogsResponse.Header header, Acknowledgements acknowledgements) {
    this.message = message;
    this.header = header;
    this.acknowledgements = acknowledgements;
  }

  /**
   * The rows.
   *
   * @return in sequence order; empty in a heartbeat
   */
  public List<LogEntry> rows() {
    return message.getRowsList();
  }

  /**
   * The position after the rows.
   *
   * @return where another export goes on
   */
  public String cursor() {
    return message.getCursor();
  }

  /**
   * The sequence that the cursor stands for.
   *
   * @return grows from batch to batch
   */
  public long sequence() {
    return message.getSequence();
  }

  /**
   * Whether it is a sign of life: no rows matched for a while.
   *
   * @return false of a batch with rows
   */
  public boolean heartbeat() {
    return message.getHeartbeat();
  }

  /**
   * What the export is.
   *
   * @return of all batches of one export
   */
  public ExportLogsResponse.Header header() {
    return header;
  }

  /**
   * Tells the consumer's position, durably: an export by this consumer starts after these rows. Waits for a server that is
   * away as long as the export itself would. IllegalStateException of an export without a consumer.
   */
  public void acknowledge() {
    acknowledgements.tell(this);
  }

  /**
   * The rows as maps of the chosen fields, under the names the source gives them, in their order: times as Instant, enums by
   * name without prefix, null where nothing is set.
   *
   * @return made anew by every call
   */
  public List<Map<String, Object>> records() {
    return rows().stream().map(this::recordOf).toList();
  }

  private Map<String, Object> recordOf(LogEntry row) {
    Map<String, Object> record = new LinkedHashMap<>();
    for (SourceField field : header.getFieldsList()) {
      String name = field.getRename().isEmpty() ? field.getField() : field.getRename();
      FieldDescriptor known = LogEntry.getDescriptor().findFieldByName(field.getField());
      // A field that only a newer server knows has no value here.
      record.put(name, known == null ? null : readable(known, row.getField(known)));
    }
    return record;
  }

  private static Object readable(FieldDescriptor field, Object value) {
    if (value instanceof EnumValueDescriptor named) {
      return named.getNumber() == 0 ? null : nameOf(named);
    }
    if (value instanceof String text) {
      return text.isEmpty() ? null : text;
    }
    if (field.getName().endsWith("_time_us")) {
      return (Long) value == 0 ? null : Times.fromMicros((Long) value);
    }
    return value;
  }

  /** Without the enum's own name before it; of a value that a newer server made, its number. */
  private static String nameOf(EnumValueDescriptor value) {
    if (value.getIndex() < 0) {
      return Integer.toString(value.getNumber());
    }
    String prefix = value.getType().getName().replaceAll("(?<=[a-z])(?=[A-Z])", "_").toUpperCase(Locale.ROOT) + "_";
    return value.getName().substring(prefix.length());
  }
}
