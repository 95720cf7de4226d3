package dev.passerelle;

import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Column;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** The columns that rows of an import, a sync and a push have in common. Thread-safe. */
final class RecordColumns {
  private final List<String> namespaces;
  private final Map<String, AttributeType> types;
  private final Set<String> opened;

  /** Fields come in the order of {@code types}. */
  RecordColumns(List<String> namespaces, Map<String, AttributeType> types) {
    this.namespaces = namespaces;
    this.types = types;
    this.opened = new HashSet<>(namespaces);
  }

  /** One column for each namespace. Checks what the rows name first. */
  List<Column> identities(long offset, List<Row> rows) {
    for (int i = 0; i < rows.size(); i++) {
      requireOpened(rows.get(i).identities().keySet(), opened, offset + i);
      requireOpened(rows.get(i).fields().keySet(), types.keySet(), offset + i);
    }
    return namespaces.stream()
        .map(namespace -> texts(offset, rows, "identity " + namespace, row -> valueOf(row.identities(), namespace)))
        .toList();
  }

  /** One column for each field. */
  List<Column> fields(long offset, List<Row> rows) {
    return types.entrySet().stream()
        .map(field -> column(offset, rows, field.getValue(), field.getKey(), row -> valueOf(row.fields(), field.getKey())))
        .toList();
  }

  /** Empty if no row has one. */
  Optional<Column> eventTimes(long offset, List<Row> rows) {
    return optional(offset, rows, AttributeType.ATTRIBUTE_TYPE_TIMESTAMP, "eventTime", Row::eventTime);
  }

  /** Empty if no row has one. */
  Optional<Column> qualificationTimes(long offset, List<Row> rows) {
    return optional(offset, rows, AttributeType.ATTRIBUTE_TYPE_TIMESTAMP, "qualificationTime", Row::qualificationTime);
  }

  /** Empty if no row has one. */
  Optional<Column> recordKeys(long offset, List<Row> rows) {
    return optional(offset, rows, AttributeType.ATTRIBUTE_TYPE_STRING, "recordKey",
        row -> row.recordKey().isEmpty() ? null : row.recordKey());
  }

  private static Optional<Column> optional(
      long offset, List<Row> rows, AttributeType type, String what, Function<Row, Object> value) {
    if (rows.stream().allMatch(row -> value.apply(row) == null)) {
      return Optional.empty();
    }
    return Optional.of(column(offset, rows, type, what, row -> {
      Object found = value.apply(row);
      return found == null ? Columns.ABSENT : found;
    }));
  }

  private static Column texts(long offset, List<Row> rows, String what, Function<Row, Object> value) {
    return column(offset, rows, AttributeType.ATTRIBUTE_TYPE_STRING, what, value);
  }

  private static Column column(
      long offset, List<Row> rows, AttributeType type, String what, Function<Row, Object> value) {
    return Columns.encode(rows.size(), i -> value.apply(rows.get(i)), type, what, offset);
  }

  private static Object valueOf(Map<String, ?> values, String name) {
    Object value = values.get(name);
    return value != null || values.containsKey(name) ? value : Columns.ABSENT;
  }

  private static void requireOpened(Set<String> names, Set<String> opened, long offset) {
    for (String name : names) {
      if (!opened.contains(name)) {
        throw new IllegalArgumentException("record " + offset + ": '" + name + "' was not opened");
      }
    }
  }
}
