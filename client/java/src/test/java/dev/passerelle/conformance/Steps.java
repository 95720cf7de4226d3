package dev.passerelle.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.passerelle.Client;
import dev.passerelle.ClientBuilder;
import dev.passerelle.ExportOptions;
import dev.passerelle.IngestOptions;
import dev.passerelle.IngestResult;
import dev.passerelle.LogBatch;
import dev.passerelle.LogExport;
import dev.passerelle.MemberOptions;
import dev.passerelle.MemberStream;
import dev.passerelle.PasserelleException;
import dev.passerelle.v1.Attribute;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Consent;
import dev.passerelle.v1.LogFilter;
import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;

/** The clients of one runner and what each step does with them. It holds no expectation. For one thread at a time. */
final class Steps {
  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().preservingProtoFieldNames().omittingInsignificantWhitespace();

  private final Map<String, Client> clients = new HashMap<>();

  /** What the step answers; an UnsupportedOperationException if nobody knows it. */
  Object take(JsonObject step) throws InvalidProtocolBufferException {
    return switch (step.get("op").getAsString()) {
      case "hello" -> Map.of("language", "java", "client", Client.VERSION);
      case "connect" -> connect(step);
      case "close" -> close(step);
      case "call" -> call(step);
      case "pages" -> pages(step);
      case "create_attribute" -> createAttribute(step);
      case "ingest" -> ingest(step);
      case "export" -> export(step);
      case "members" -> members(step);
      default -> throw new UnsupportedOperationException(step.get("op").getAsString());
    };
  }

  void closeAll() {
    clients.values().forEach(Client::close);
  }

  private Client client(JsonObject step) {
    return clients.get(text(step, "client", "main"));
  }

  private Object connect(JsonObject step) {
    close(step);
    ClientBuilder builder = Client.builder().instance(text(step, "instance", "default")).environment(environment(step));
    if (step.has("target")) {
      builder.target(text(step, "target", ""));
    }
    if (step.has("key")) {
      builder.key(text(step, "key", ""));
    }
    if (step.has("key_file")) {
      builder.keyFile(path(step, "key_file"));
    }
    if (step.has("ca")) {
      builder.ca(text(step, "ca", ""));
    }
    if (step.has("cert") || step.has("cert_key")) {
      builder.cert(path(step, "cert"), path(step, "cert_key"));
    }
    if (step.has("server_name")) {
      builder.serverName(text(step, "server_name", ""));
    }
    clients.put(text(step, "client", "main"), builder.connect());
    return Map.of();
  }

  /** A program cannot change its own variables; the builder takes others in their place. */
  private static Map<String, String> environment(JsonObject step) {
    Map<String, String> variables = new HashMap<>(System.getenv());
    if (step.has("env")) {
      step.getAsJsonObject("env").asMap().forEach((name, value) -> {
        variables.remove(name);
        if (!value.isJsonNull()) {
          variables.put(name, value.getAsString());
        }
      });
    }
    return variables;
  }

  private Object close(JsonObject step) {
    Client client = clients.remove(text(step, "client", "main"));
    if (client != null) {
      client.close();
    }
    return Map.of();
  }

  private Object call(JsonObject step) throws InvalidProtocolBufferException {
    Client client = client(step);
    Method method = Method.of(client, text(step, "method", ""));
    Message request = method.request(object(step, "request"));
    Duration timeout = Duration.ofMillis(number(step, "timeout_ms", 30_000));
    return Map.of("response", json(client.call(timeout, () -> method.invoke(request))));
  }

  private Object pages(JsonObject step) throws InvalidProtocolBufferException {
    Client client = client(step);
    Method method = Method.of(client, text(step, "method", ""));
    String items = text(step, "items", "");
    List<JsonElement> found = new ArrayList<>();
    for (Message item : client.pages(
        method::invoke, method.request(object(step, "request")), answer -> Method.items(answer, items))) {
      found.add(json(item));
    }
    return Map.of("items", found);
  }

  private Object createAttribute(JsonObject step) throws InvalidProtocolBufferException {
    Attribute.Builder attribute =
        Attribute.newBuilder().setType(AttributeType.valueOf("ATTRIBUTE_TYPE_" + text(step, "type", "")));
    if (step.has("consent")) {
      Consent.Builder consent = Consent.newBuilder();
      JsonFormat.parser().merge(step.get("consent").toString(), consent);
      attribute.setConsent(consent);
    }
    Attribute made = client(step).createAttribute(text(step, "attribute", ""), attribute.build());
    return Map.of("type", made.getType().name().substring("ATTRIBUTE_TYPE_".length()));
  }

  private Object ingest(JsonObject step) throws InvalidProtocolBufferException {
    Client client = client(step);
    IngestOptions options = ingestOptions(step);
    String destination = text(step, "destination", "");
    IngestResult result = switch (text(step, "kind", "")) {
      case "import" -> client.importProfiles(StepRows.rows(step), options);
      case "sync" -> client.syncProfiles(destination, StepRows.rows(step), options);
      case "push" -> client.pushMembers(destination, StepRows.rows(step), options);
      case "append" -> client.appendLogs(StepRows.logs(step), options);
      default -> throw new UnsupportedOperationException("an ingest of another kind");
    };
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("total_records", result.totalRecords());
    answer.put("received", result.received());
    answer.put("already_known", result.alreadyKnown());
    answer.put("reconnects", result.reconnects());
    answer.put("counts", result.counts());
    answer.put("totals", result.totals());
    answer.put("rows", StepRows.outcomes(result.rows()));
    answer.put("commit_token", result.commitToken());
    return answer;
  }

  private static IngestOptions ingestOptions(JsonObject step) {
    IngestOptions options = new IngestOptions()
        .identities(texts(step, "identities")).fields(texts(step, "fields")).audiences(texts(step, "audiences"))
        .stream(text(step, "stream", ""));
    if (step.has("replace") && step.get("replace").getAsBoolean()) {
      options.replace();
    }
    if (step.has("max_refused_percent")) {
      options.maxRefusedPercent(step.get("max_refused_percent").getAsDouble());
    }
    if (step.has("batch_records")) {
      options.batchRecords((int) number(step, "batch_records", 0));
    }
    if (step.has("retry_for_ms")) {
      options.retryFor(retryFor(step));
    }
    return options;
  }

  private Object export(JsonObject step) throws InvalidProtocolBufferException {
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("cancelled", false);
    Timer timer = new Timer(true);
    try (LogExport export = client(step).exportLogs(exportOptions(step))) {
      if (step.has("cancel_after_ms")) {
        timer.schedule(closing(export), number(step, "cancel_after_ms", 0));
      }
      read(export, step, answer);
    } catch (PasserelleException failure) {
      if (!step.has("cancel_after_ms") || failure.code() != Status.Code.CANCELLED) {
        throw failure;
      }
      answer.put("cancelled", true);
    } finally {
      timer.cancel();
    }
    return answer;
  }

  private static TimerTask closing(LogExport export) {
    return new TimerTask() {
      @Override
      public void run() {
        export.close();
      }
    };
  }

  private static ExportOptions exportOptions(JsonObject step) throws InvalidProtocolBufferException {
    ExportOptions options = new ExportOptions()
        .source(text(step, "source", "")).consumer(text(step, "consumer", "")).cursor(text(step, "cursor", ""))
        .fields(texts(step, "fields")).maxBatchRows((int) number(step, "max_batch_rows", 0));
    if (step.has("filter")) {
      LogFilter.Builder filter = LogFilter.newBuilder();
      JsonFormat.parser().merge(step.get("filter").toString(), filter);
      options.filter(filter.build());
    }
    if (step.has("follow") && step.get("follow").getAsBoolean()) {
      options.follow();
    }
    if (step.has("retry_for_ms")) {
      options.retryFor(retryFor(step));
    }
    return options;
  }

  private static void read(LogExport export, JsonObject step, Map<String, Object> answer) {
    List<Object> rows = new ArrayList<>();
    int batches = 0;
    answer.put("rows", rows);
    answer.put("batches", 0);
    for (LogBatch batch : export) {
      answer.put("cursor", batch.cursor());
      if (batch.rows().isEmpty()) {
        continue;
      }
      batch.records().forEach(record -> rows.add(StepRows.readable(record)));
      answer.put("batches", ++batches);
      if (step.has("acknowledge") && step.get("acknowledge").getAsBoolean()) {
        batch.acknowledge();
      }
      if (batches == number(step, "stop_after_batches", 0)) {
        return;
      }
    }
  }

  private Object members(JsonObject step) {
    MemberOptions options = new MemberOptions()
        .purpose(text(step, "purpose", "")).attributes(texts(step, "attributes"))
        .identities(texts(step, "identities")).mandatory(texts(step, "mandatory")).since(text(step, "since", ""));
    if (step.has("retry_for_ms")) {
      options.retryFor(retryFor(step));
    }
    List<Object> all = new ArrayList<>();
    try (MemberStream members =
        client(step).streamMembers(text(step, "audience", ""), text(step, "channel", ""), options)) {
      members.forEach(member -> all.add(Map.of(
          "identities", member.identities(),
          "attributes", StepRows.readable(member.attributes()),
          "change", member.change())));
      return Map.of("members", all, "end_token", members.endToken(), "excluded", members.excluded());
    }
  }

  private static Duration retryFor(JsonObject step) {
    return Duration.ofMillis(number(step, "retry_for_ms", 0));
  }

  private static JsonElement json(Message message) {
    try {
      return JsonParser.parseString(PRINTER.print(message));
    } catch (InvalidProtocolBufferException unprintable) {
      throw new IllegalStateException(unprintable);
    }
  }

  private static String text(JsonObject step, String key, String otherwise) {
    return step.has(key) ? step.get(key).getAsString() : otherwise;
  }

  private static Path path(JsonObject step, String key) {
    return step.has(key) ? Path.of(step.get(key).getAsString()) : null;
  }

  private static long number(JsonObject step, String key, long otherwise) {
    return step.has(key) ? step.get(key).getAsLong() : otherwise;
  }

  static String[] texts(JsonObject step, String key) {
    if (!step.has(key)) {
      return new String[0];
    }
    return step.getAsJsonArray(key).asList().stream().map(JsonElement::getAsString).toArray(String[]::new);
  }

  private static JsonObject object(JsonObject step, String key) {
    return step.has(key) ? step.getAsJsonObject(key) : new JsonObject();
  }
}
