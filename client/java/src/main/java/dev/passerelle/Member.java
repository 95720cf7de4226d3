package dev.passerelle;

import java.time.Instant;
import java.util.Map;

/**
 * A member of an audience.
 *
 * @param profile the number in the profile's name
 * @param identities by namespace; none of a deleted profile
 * @param attributes by id; without those that are null
 * @param qualificationTime since when
 * @param change what an incremental says of it
 */
public record Member(
    long profile,
    Map<String, String> identities,
    Map<String, Object> attributes,
    Instant qualificationTime,
    Change change) {

  /** What a stream says of a member. */
  public enum Change {
    /** It is one: of a full stream. */
    MEMBER,
    /** It came in. */
    ENTERED,
    /** It left, was deleted, or can no longer be reached. */
    EXITED,
    /** It is a member and something about it changed. */
    UPDATED,
    /** A newer server says something that this client does not know. */
    UNKNOWN
  }
}
