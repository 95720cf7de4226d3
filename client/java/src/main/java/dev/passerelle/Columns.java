package dev.passerelle;

import com.google.protobuf.ByteString;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Column;
import dev.passerelle.v1.TextList;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** Values of Java to columns of the wire and back. */
final class Columns {
  /** The value of a field that a row does not have, as opposed to null. */
  static final Object ABSENT = new Object();

  private static final byte NULL = 1;
  private static final byte VALUE = 2;

  private Columns() {}

  /**
   * One column out of one value for each record: null is null, {@link #ABSENT} is absent. IllegalArgumentException names
   * the record by its offset if a value does not fit the type.
   */
  static Column encode(int records, IntFunction<Object> values, AttributeType type, String what, long offset) {
    Column.Builder column = Column.newBuilder();
    byte[] presence = new byte[records];
    boolean dense = true;
    for (int i = 0; i < records; i++) {
      Object value = values.apply(i);
      presence[i] = value == ABSENT ? 0 : value == null ? NULL : VALUE;
      dense &= presence[i] == VALUE;
      if (presence[i] == VALUE) {
        add(column, value, type, what, offset + i);
      }
    }
    return dense ? column.build() : column.setPresence(ByteString.copyFrom(presence)).build();
  }

  private static void add(Column.Builder column, Object value, AttributeType type, String what, long offset) {
    try {
      add(column, value, type);
    } catch (IllegalArgumentException unfit) {
      throw new IllegalArgumentException("record " + offset + ", " + what + ": " + unfit.getMessage(), unfit);
    }
  }

  private static void add(Column.Builder column, Object value, AttributeType type) {
    switch (type) {
      case ATTRIBUTE_TYPE_INT64 -> column.addIntegers(Values.integer(value));
      case ATTRIBUTE_TYPE_DOUBLE -> column.addDoubles(Values.number(value));
      case ATTRIBUTE_TYPE_BOOL -> column.addBools(Values.truth(value));
      case ATTRIBUTE_TYPE_TIMESTAMP -> column.addIntegers(Values.moment(value));
      case ATTRIBUTE_TYPE_DATE -> column.addIntegers(Values.day(value));
      case ATTRIBUTE_TYPE_STRING_LIST -> column.addLists(Values.list(value));
      // A type that is not known, or of an attribute that is not, goes as text: the server's answer names it.
      default -> column.addTexts(Values.text(value));
    }
  }

  /** One value of Java for each record; null where there is none, or one of a type that only newer clients know. */
  static List<Object> decode(Column column, int records, AttributeType type) {
    List<Object> values = new ArrayList<>(records);
    ByteString presence = column.getPresence();
    int next = 0;
    for (int i = 0; i < records; i++) {
      boolean there = presence.isEmpty() || presence.byteAt(i) == VALUE;
      values.add(there ? get(column, next++, type) : null);
    }
    return values;
  }

  private static Object get(Column column, int index, AttributeType type) {
    return switch (type) {
      case ATTRIBUTE_TYPE_INT64 -> column.getIntegers(index);
      case ATTRIBUTE_TYPE_DOUBLE -> column.getDoubles(index);
      case ATTRIBUTE_TYPE_BOOL -> column.getBools(index);
      case ATTRIBUTE_TYPE_TIMESTAMP -> Times.fromMicros(column.getIntegers(index));
      case ATTRIBUTE_TYPE_DATE -> LocalDate.ofEpochDay(column.getIntegers(index));
      case ATTRIBUTE_TYPE_STRING_LIST -> texts(column.getLists(index));
      default -> index < column.getTextsCount() ? column.getTexts(index).toStringUtf8() : null;
    };
  }

  private static List<String> texts(TextList list) {
    return list.getValuesList().stream().map(ByteString::toStringUtf8).toList();
  }
}
