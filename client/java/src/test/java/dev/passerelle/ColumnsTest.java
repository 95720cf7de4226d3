package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Column;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ColumnsTest {
  private static Column encode(AttributeType type, Object... values) {
    return Columns.encode(values.length, i -> values[i], type, "column", 40);
  }

  private static String refusalOf(AttributeType type, Object... values) {
    return assertThrows(IllegalArgumentException.class, () -> encode(type, values)).getMessage();
  }

  @Test
  void everyTypeComesOutAsItWentIn() {
    Instant moment = Instant.ofEpochSecond(1_700_000_000, 123_456_000);
    Instant early = Instant.ofEpochSecond(-1, 999_999_000);
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_STRING, "É, \"q\"\n", "", "𝄞");
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_INT64, Long.MIN_VALUE, 0L, Long.MAX_VALUE);
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_DOUBLE, -0.5, Double.NaN);
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_BOOL, false, true);
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_TIMESTAMP, moment, early, Instant.EPOCH);
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_DATE, LocalDate.of(1969, 12, 31), LocalDate.of(2026, 2, 28));
    assertRoundTrip(AttributeType.ATTRIBUTE_TYPE_STRING_LIST, List.of("a", "", "ü"), List.of());
  }

  private static void assertRoundTrip(AttributeType type, Object... values) {
    assertEquals(Arrays.asList(values), Columns.decode(encode(type, values), values.length, type));
  }

  @Test
  void absentNullAndValueAreToldApart() {
    Column column = encode(AttributeType.ATTRIBUTE_TYPE_INT64, 7, null, Columns.ABSENT, 8);
    assertEquals(ByteString.copyFrom(new byte[] {2, 1, 0, 2}), column.getPresence());
    assertEquals(List.of(7L, 8L), column.getIntegersList());
    assertEquals(
        Arrays.asList(null, null, null, null), Columns.decode(column, 4, AttributeType.UNRECOGNIZED), "a newer type");
    List<Object> values = Columns.decode(column, 4, AttributeType.ATTRIBUTE_TYPE_INT64);
    assertEquals(Arrays.asList(7L, null, null, 8L), values);
  }

  @Test
  void whereEveryRecordHasAValuePresenceIsEmpty() {
    assertTrue(encode(AttributeType.ATTRIBUTE_TYPE_STRING, "a", "b").getPresence().isEmpty());
  }

  @Test
  void bytesGoAsTheyAreAndOtherValuesAsTheirText() {
    Column column = encode(AttributeType.ATTRIBUTE_TYPE_STRING, new byte[] {-1, -2}, 42, AttributeType.ATTRIBUTE_TYPE_BOOL);
    assertEquals(ByteString.copyFrom(new byte[] {-1, -2}), column.getTexts(0));
    assertEquals("42", column.getTexts(1).toStringUtf8());
    assertEquals("ATTRIBUTE_TYPE_BOOL", column.getTexts(2).toStringUtf8());
  }

  @Test
  void numbersAreTakenFromTextsAndMomentsWithoutZoneAreUtc() {
    assertEquals(List.of(12L), encode(AttributeType.ATTRIBUTE_TYPE_INT64, " 12 ").getIntegersList());
    assertEquals(List.of(3L), encode(AttributeType.ATTRIBUTE_TYPE_INT64, 3.0).getIntegersList());
    assertEquals(List.of(-1.5e3), encode(AttributeType.ATTRIBUTE_TYPE_DOUBLE, "-1.5e3").getDoublesList());
    assertTrue(Double.isNaN(encode(AttributeType.ATTRIBUTE_TYPE_DOUBLE, "nan").getDoubles(0)));
    LocalDateTime noon = LocalDateTime.of(1970, 1, 1, 12, 0);
    assertEquals(
        List.of(43_200_000_000L, 43_200_000_001L, 43_200_000_000L, 7L),
        encode(
            AttributeType.ATTRIBUTE_TYPE_TIMESTAMP, noon, "1970-01-01T12:00:00.0000019Z", "1970-01-01T13:00:00+01:00", 7)
            .getIntegersList());
    assertEquals(List.of(-1L), encode(AttributeType.ATTRIBUTE_TYPE_DATE, "1969-12-31").getIntegersList());
  }

  @Test
  void aValueThatDoesNotFitIsNamedByItsRecordAndNeverTold() {
    String old = refusalOf(AttributeType.ATTRIBUTE_TYPE_INT64, 1, "secret");
    assertTrue(old.startsWith("record 41, column: "), old);
    assertTrue(!old.contains("secret"), old);
    refusalOf(AttributeType.ATTRIBUTE_TYPE_INT64, 1.5);
    refusalOf(AttributeType.ATTRIBUTE_TYPE_INT64, "9223372036854775808");
    refusalOf(AttributeType.ATTRIBUTE_TYPE_DOUBLE, "1d");
    refusalOf(AttributeType.ATTRIBUTE_TYPE_BOOL, "true");
    refusalOf(AttributeType.ATTRIBUTE_TYPE_TIMESTAMP, "2026-01-01");
    refusalOf(AttributeType.ATTRIBUTE_TYPE_DATE, "2026-02-30");
    refusalOf(AttributeType.ATTRIBUTE_TYPE_TIMESTAMP, Instant.MAX);
    refusalOf(AttributeType.ATTRIBUTE_TYPE_DATE, Instant.EPOCH);
    refusalOf(AttributeType.ATTRIBUTE_TYPE_STRING_LIST, "not a list");
    refusalOf(AttributeType.ATTRIBUTE_TYPE_STRING, List.of("a"));
    refusalOf(AttributeType.ATTRIBUTE_TYPE_STRING, "half a character: \ud834");
  }
}
