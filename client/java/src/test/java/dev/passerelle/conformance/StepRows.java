package dev.passerelle.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.ProtocolMessageEnum;
import com.google.protobuf.util.JsonFormat;
import dev.passerelle.Row;
import dev.passerelle.v1.DeliveryStatus;
import dev.passerelle.v1.LogEntry;
import dev.passerelle.v1.LogKind;
import dev.passerelle.v1.RowOutcome;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;
import java.util.stream.LongStream;

/** Rows and values between JSON and what the client takes and gives. */
final class StepRows {
  private StepRows() {}

  static List<Row> rows(JsonObject step) {
    if (step.has("generate")) {
      return generate(step.getAsJsonObject("generate"), i -> generated(step, i));
    }
    return step.getAsJsonArray("rows").asList().stream().map(row -> rowOf(row.getAsJsonObject())).toList();
  }

  static List<Message> logs(JsonObject step) throws InvalidProtocolBufferException {
    if (step.has("generate")) {
      JsonObject generate = step.getAsJsonObject("generate");
      return generate(generate, i -> generatedLog(generate.get("prefix").getAsString(), i));
    }
    List<Message> rows = new ArrayList<>();
    for (JsonElement row : step.getAsJsonArray("rows")) {
      LogEntry.Builder entry = LogEntry.newBuilder();
      JsonFormat.parser().merge(row.toString(), entry);
      rows.add(entry.build());
    }
    return rows;
  }

  private static <T> List<T> generate(JsonObject generate, LongFunction<T> row) {
    long first = generate.has("first") ? generate.get("first").getAsLong() : 0;
    return LongStream.range(first, first + generate.get("count").getAsLong()).mapToObj(row).toList();
  }

  private static Row generated(JsonObject step, long i) {
    String text = step.getAsJsonObject("generate").get("prefix").getAsString() + i;
    Map<String, String> identities = new LinkedHashMap<>();
    Map<String, String> fields = new LinkedHashMap<>();
    for (String namespace : Steps.texts(step, "identities")) {
      identities.put(namespace, text);
    }
    for (String field : Steps.texts(step, "fields")) {
      fields.put(field, text);
    }
    String[] audiences = Steps.texts(step, "audiences");
    Row row = Row.of(identities, fields);
    return audiences.length == 0 ? row : row.withAudience(audiences[0]);
  }

  private static Message generatedLog(String prefix, long i) {
    return LogEntry.newBuilder()
        .setKind(LogKind.LOG_KIND_DELIVERY).setDelivery(prefix).setBroadlogId(i + 1)
        .setStatus(DeliveryStatus.DELIVERY_STATUS_SENT).setIdentityNamespace("external_id").setIdentity(prefix + i)
        .build();
  }

  private static Row rowOf(JsonObject json) {
    return new Row(
        values(json, "identities"),
        values(json, "fields"),
        moment(json, "event_time"),
        text(json, "record_key"),
        text(json, "audience"),
        json.has("exited") && json.get("exited").getAsBoolean(),
        moment(json, "qualification_time"));
  }

  private static Map<String, Object> values(JsonObject json, String key) {
    Map<String, Object> values = new LinkedHashMap<>();
    if (json.has(key)) {
      json.getAsJsonObject(key).asMap().forEach((name, value) -> values.put(name, valueOf(value)));
    }
    return values;
  }

  private static Object valueOf(JsonElement json) {
    if (json.isJsonNull()) {
      return null;
    }
    if (json instanceof JsonArray array) {
      return array.asList().stream().map(StepRows::valueOf).toList();
    }
    JsonPrimitive value = json.getAsJsonPrimitive();
    if (value.isBoolean()) {
      return value.getAsBoolean();
    }
    return value.isNumber() ? new BigDecimal(value.getAsString()) : value.getAsString();
  }

  private static String text(JsonObject json, String key) {
    return json.has(key) ? json.get(key).getAsString() : "";
  }

  private static Instant moment(JsonObject json, String key) {
    return json.has(key) ? OffsetDateTime.parse(json.get(key).getAsString()).toInstant() : null;
  }

  static List<Object> outcomes(List<RowOutcome> rows) {
    return rows.stream().map(StepRows::outcome).toList();
  }

  private static Object outcome(RowOutcome row) {
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("offset", row.getOffset());
    told.put("record_key", row.getRecordKey());
    told.put("outcome", name(row.getOutcome(), row.getOutcomeValue(), "OUTCOME_"));
    if (row.getReasonValue() != 0) {
      told.put("reason", name(row.getReason(), row.getReasonValue(), "ROW_REASON_"));
    }
    told.put("field", row.getField());
    told.put("stale_fields", List.copyOf(row.getStaleFieldsList()));
    told.put("out_of_scope_fields", List.copyOf(row.getOutOfScopeFieldsList()));
    return told;
  }

  private static String name(ProtocolMessageEnum value, int number, String prefix) {
    String name = value.toString();
    return name.startsWith(prefix) ? name.substring(prefix.length()) : Integer.toString(number);
  }

  /** Values that JSON knows. */
  static Map<String, Object> readable(Map<String, Object> record) {
    Map<String, Object> readable = new LinkedHashMap<>();
    record.forEach((name, value) ->
        readable.put(name, value == null || value instanceof Number || value instanceof Boolean || value instanceof List
            ? value : value.toString()));
    return readable;
  }
}
