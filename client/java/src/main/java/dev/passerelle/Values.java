package dev.passerelle;

import com.google.protobuf.ByteString;
import com.google.protobuf.Timestamp;
import dev.passerelle.v1.TextList;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.TemporalAccessor;
import java.util.Arrays;
import java.util.Date;
import java.util.Locale;
import java.util.Map;

/** One value of Java as what the wire holds. IllegalArgumentException if it does not fit; its text never holds the value. */
final class Values {
  private Values() {}

  /** A text's UTF-8, or bytes as they are: if they are not UTF-8, the server refuses the row and no other. */
  static ByteString text(Object value) {
    if (value instanceof ByteString bytes) {
      return bytes;
    }
    if (value instanceof byte[] bytes) {
      return ByteString.copyFrom(bytes);
    }
    if (value instanceof Iterable || value instanceof Map || value.getClass().isArray()) {
      throw unfit(value, "text");
    }
    return utf8(value.toString());
  }

  /** Java's own encoding would replace half a character by a question mark. */
  private static ByteString utf8(String text) {
    try {
      return ByteString.copyFrom(StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text)));
    } catch (CharacterCodingException broken) {
      throw new IllegalArgumentException("got text with half a character (a lone surrogate)", broken);
    }
  }

  static long integer(Object value) {
    if (value instanceof Long || value instanceof Integer || value instanceof Short || value instanceof Byte) {
      return ((Number) value).longValue();
    }
    try {
      if (value instanceof BigInteger big) {
        return big.longValueExact();
      }
      if (value instanceof BigDecimal || value instanceof Double || value instanceof Float) {
        return new BigDecimal(value.toString()).longValueExact();
      }
      if (value instanceof CharSequence) {
        return Long.parseLong(value.toString().strip());
      }
    } catch (ArithmeticException | NumberFormatException outside) {
      throw new IllegalArgumentException("got no whole number of 64 bits", outside);
    }
    throw unfit(value, "a whole number");
  }

  static double number(Object value) {
    if (value instanceof Number number) {
      return number.doubleValue();
    }
    if (value instanceof CharSequence) {
      return parseNumber(value.toString().strip().toLowerCase(Locale.ROOT));
    }
    throw unfit(value, "a number");
  }

  private static double parseNumber(String text) {
    switch (text) {
      case "nan":
        return Double.NaN;
      case "inf":
        return Double.POSITIVE_INFINITY;
      case "-inf":
        return Double.NEGATIVE_INFINITY;
      default:
        // Double.parseDouble also takes what is a number in Java's source only: 1d, 0x1p3.
        if (!text.matches("[-+]?[0-9.]+(e[-+]?[0-9]+)?")) {
          throw new IllegalArgumentException("got text that is no number");
        }
        return Double.parseDouble(text);
    }
  }

  static boolean truth(Object value) {
    if (value instanceof Boolean bool) {
      return bool;
    }
    throw unfit(value, "a Boolean");
  }

  /** Microseconds of a moment, also in RFC 3339, or of a whole number of them; a moment without zone is in UTC. */
  static long moment(Object value) {
    Instant moment;
    if (value instanceof Instant instant) {
      moment = instant;
    } else if (value instanceof OffsetDateTime time) {
      moment = time.toInstant();
    } else if (value instanceof ZonedDateTime time) {
      moment = time.toInstant();
    } else if (value instanceof LocalDateTime time) {
      moment = time.toInstant(ZoneOffset.UTC);
    } else if (value instanceof Date date) {
      moment = Instant.ofEpochMilli(date.getTime());
    } else if (value instanceof Timestamp timestamp) {
      moment = Times.fromProto(timestamp);
    } else if (value instanceof CharSequence text) {
      moment = parseMoment(text);
    } else if (value instanceof Number) {
      return integer(value);
    } else {
      throw unfit(value, "a moment");
    }
    try {
      return Times.toMicros(moment);
    } catch (ArithmeticException outside) {
      throw new IllegalArgumentException("got a moment that 64 bits of microseconds do not hold", outside);
    }
  }

  private static Instant parseMoment(CharSequence text) {
    try {
      TemporalAccessor parsed =
          DateTimeFormatter.ISO_DATE_TIME.parseBest(text, OffsetDateTime::from, LocalDateTime::from);
      return parsed instanceof LocalDateTime local ? local.toInstant(ZoneOffset.UTC) : Instant.from(parsed);
    } catch (DateTimeException malformed) {
      throw new IllegalArgumentException("got text that is no moment, wanted 2026-01-31T12:00:00Z", malformed);
    }
  }

  /** Days since 1970 of a date, also as 2026-01-31, or a whole number of them. */
  static long day(Object value) {
    if (value instanceof LocalDate date) {
      return date.toEpochDay();
    }
    if (value instanceof Number) {
      return integer(value);
    }
    if (value instanceof CharSequence text) {
      try {
        return LocalDate.parse(text).toEpochDay();
      } catch (DateTimeException malformed) {
        throw new IllegalArgumentException("got text that is no date, wanted 2026-01-31", malformed);
      }
    }
    throw unfit(value, "a LocalDate");
  }

  static TextList list(Object value) {
    Iterable<?> texts;
    if (value instanceof Iterable<?> iterable) {
      texts = iterable;
    } else if (value instanceof Object[] array) {
      texts = Arrays.asList(array);
    } else {
      throw unfit(value, "an Iterable of texts");
    }
    TextList.Builder list = TextList.newBuilder();
    for (Object one : texts) {
      if (one == null) {
        throw new IllegalArgumentException("got null in a list of texts");
      }
      list.addValues(text(one));
    }
    return list.build();
  }

  private static IllegalArgumentException unfit(Object value, String wanted) {
    return new IllegalArgumentException("got " + value.getClass().getSimpleName() + ", wanted " + wanted);
  }
}
