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
 * @param change MEMBER in a full stream; else ENTERED, EXITED (it left, was deleted, or can no longer be reached) or UPDATED
 *     (something about it changed: store it if you do not hold it); of a change that only a newer server knows, its number
 */
public record Member(
    long profile,
    Map<String, String> identities,
    Map<String, Object> attributes,
    Instant qualificationTime,
    String change) {}
