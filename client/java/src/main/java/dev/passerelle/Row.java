package dev.passerelle;

import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * One record of an import, a sync or a push. A field that is not in {@code fields} is left alone; null is null. Maps are not
 * copied: leave them alone until the ingest has ended.
 *
 * <p>A value fits its attribute's type: text (or bytes of it) for STRING, whole numbers for INT64, numbers for DOUBLE,
 * Boolean for BOOL, {@link Instant} or another moment for TIMESTAMP, {@link java.time.LocalDate} for DATE (both also as text of
 * RFC 3339), an Iterable of texts for STRING_LIST. What does not fit is an IllegalArgumentException of the ingest, which names the record.
 *
 * @param identities by namespace: text, or bytes of it
 * @param fields values by field; may hold null
 * @param eventTime when the sender learned it; null: order is commit order
 * @param recordKey the sender's own key of the record, at most 256 bytes; empty: none
 * @param audience of a push: the audience's source_id; may be empty where the stream has one audience
 * @param exited of a push: the profile left the audience
 * @param qualificationTime of a push: since when; null: since its commit
 */
public record Row(
    Map<String, ?> identities,
    Map<String, ?> fields,
    Instant eventTime,
    String recordKey,
    String audience,
    boolean exited,
    Instant qualificationTime) {

  /**
   * A row with all that it may have.
   *
   * @param identities by namespace: text, or bytes of it
   * @param fields values by field; may hold null
   * @param eventTime may be null
   * @param recordKey may be empty
   * @param audience may be empty
   * @param exited of a push only
   * @param qualificationTime may be null
   */
  public Row {
    Objects.requireNonNull(identities, "identities");
    Objects.requireNonNull(fields, "fields");
    Objects.requireNonNull(recordKey, "recordKey");
    Objects.requireNonNull(audience, "audience");
  }

  /**
   * A row without fields.
   *
   * @param namespace of its one identity
   * @param value of its one identity
   * @return the row
   */
  public static Row of(String namespace, String value) {
    return of(Map.of(namespace, value), Map.of());
  }

  /**
   * A row without fields.
   *
   * @param identities by namespace
   * @return the row
   */
  public static Row of(Map<String, ?> identities) {
    return of(identities, Map.of());
  }

  /**
   * A row.
   *
   * @param identities by namespace
   * @param fields values by field; may hold null
   * @return the row
   */
  public static Row of(Map<String, ?> identities, Map<String, ?> fields) {
    return new Row(identities, fields, null, "", "", false, null);
  }

  /**
   * This row and one more field. Copies the fields; for many of them give a map.
   *
   * @param field its name
   * @param value its value; null is null
   * @return another row
   */
  public Row with(String field, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(fields);
    more.put(field, value);
    Map<String, ?> all = Collections.unmodifiableMap(more);
    return new Row(identities, all, eventTime, recordKey, audience, exited, qualificationTime);
  }

  /**
   * This row with a time.
   *
   * @param time when the sender learned it
   * @return another row
   */
  public Row withEventTime(Instant time) {
    return new Row(identities, fields, time, recordKey, audience, exited, qualificationTime);
  }

  /**
   * This row with a key.
   *
   * @param key the sender's own
   * @return another row
   */
  public Row withRecordKey(String key) {
    return new Row(identities, fields, eventTime, key, audience, exited, qualificationTime);
  }

  /**
   * This row in an audience.
   *
   * @param sourceId the audience's source_id
   * @return another row
   */
  public Row withAudience(String sourceId) {
    return new Row(identities, fields, eventTime, recordKey, sourceId, exited, qualificationTime);
  }

  /**
   * This row as one of somebody who left the audience.
   *
   * @return another row
   */
  public Row withExit() {
    return new Row(identities, fields, eventTime, recordKey, audience, true, qualificationTime);
  }

  /**
   * This row with the time since when it holds.
   *
   * @param time since when
   * @return another row
   */
  public Row withQualificationTime(Instant time) {
    return new Row(identities, fields, eventTime, recordKey, audience, exited, time);
  }
}
