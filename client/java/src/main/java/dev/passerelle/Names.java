package dev.passerelle;

import com.google.protobuf.ProtocolMessageEnum;

/** Names of enum values for people. */
final class Names {
  private Names() {}

  /** A value's name without its prefix; of one that a newer server made, its number. */
  static String of(ProtocolMessageEnum value, int number, String prefix) {
    String name = ((Enum<?>) value).name();
    return name.equals("UNRECOGNIZED") ? Integer.toString(number) : name.substring(prefix.length());
  }
}
