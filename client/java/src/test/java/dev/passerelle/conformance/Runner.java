package dev.passerelle.conformance;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.passerelle.FieldViolation;
import dev.passerelle.PasserelleException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * Runs the steps of tests/conformance with this client: JSON lines in and out, one step at a time, each in a thread of its
 * own, which a cancel interrupts. tests/conformance/README.md is the protocol.
 */
public final class Runner {
  private static final Gson JSON = new GsonBuilder().serializeNulls().serializeSpecialFloatingPointValues().create();

  private final PrintStream answers;
  private final Steps steps = new Steps();
  private Thread worker;

  private Runner(PrintStream answers) {
    this.answers = answers;
  }

  /** Reads steps from stdin until it ends. */
  public static void main(String[] arguments) throws IOException, InterruptedException {
    Runner runner = new Runner(new PrintStream(System.out, true, StandardCharsets.UTF_8));
    // What anybody else prints must not get between the answers.
    System.setOut(System.err);
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      runner.begin(JsonParser.parseString(line).getAsJsonObject());
    }
    runner.awaitWorker();
    runner.steps.closeAll();
  }

  private void begin(JsonObject step) throws InterruptedException {
    if (step.get("op").getAsString().equals("cancel")) {
      worker.interrupt();
      write(step, "ok", new JsonObject());
      return;
    }
    awaitWorker();
    worker = new Thread(() -> answer(step), "step " + step.get("id"));
    worker.start();
  }

  private void awaitWorker() throws InterruptedException {
    if (worker != null) {
      worker.join();
    }
  }

  private void answer(JsonObject step) {
    try {
      write(step, "ok", JSON.toJsonTree(steps.take(step)).getAsJsonObject());
    } catch (PasserelleException failure) {
      write(step, "error", told(failure));
    } catch (IllegalArgumentException | InvalidProtocolBufferException refused) {
      write(step, "error", told("INVALID_USE", refused));
    } catch (UnsupportedOperationException unknown) {
      write(step, "error", told("UNKNOWN_STEP", unknown));
    } catch (Exception failed) {
      failed.printStackTrace();
      write(step, "error", told("RUNNER_FAILED", failed));
    }
  }

  private synchronized void write(JsonObject step, String key, JsonObject value) {
    JsonObject answer = new JsonObject();
    answer.add("id", step.get("id"));
    answer.add(key, value);
    answers.println(JSON.toJson(answer));
  }

  private static JsonObject told(String code, Exception failure) {
    JsonObject error = new JsonObject();
    error.addProperty("code", code);
    error.addProperty("message", String.valueOf(failure.getMessage()));
    return error;
  }

  private static JsonObject told(PasserelleException failure) {
    JsonObject error = new JsonObject();
    error.addProperty("code", failure.code().name());
    error.addProperty("reason", failure.reason());
    error.addProperty("message", failure.words());
    error.add("fields", JSON.toJsonTree(failure.fieldViolations().stream().map(FieldViolation::field).toList()));
    error.add("metadata", JSON.toJsonTree(failure.metadata()));
    error.addProperty("retry_delay_ms", failure.retryDelay().map(Duration::toMillis).orElse(0L));
    error.addProperty("retryable", failure.retryable());
    return error;
  }
}
