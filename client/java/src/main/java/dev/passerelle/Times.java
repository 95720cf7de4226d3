package dev.passerelle;

import com.google.protobuf.Timestamp;
import java.time.Instant;

/** Moments on the wire: microseconds since 1970. */
final class Times {
  private static final long MICROS = 1_000_000;

  private Times() {}

  /** Rounded down; ArithmeticException beyond what 64 bits hold. */
  static long toMicros(Instant moment) {
    return Math.addExact(Math.multiplyExact(moment.getEpochSecond(), MICROS), moment.getNano() / 1_000);
  }

  static Instant fromMicros(long micros) {
    return Instant.ofEpochSecond(Math.floorDiv(micros, MICROS), Math.floorMod(micros, MICROS) * 1_000);
  }

  static Timestamp toProto(Instant moment) {
    return Timestamp.newBuilder().setSeconds(moment.getEpochSecond()).setNanos(moment.getNano()).build();
  }

  static Instant fromProto(Timestamp moment) {
    return Instant.ofEpochSecond(moment.getSeconds(), moment.getNanos());
  }
}
