package dev.passerelle.testing;

import com.google.gson.JsonParser;
import dev.passerelle.Client;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * A {@code passerelled} on a free port of this machine, with a store of its own in a temporary directory, which asks nobody
 * for a key. It ends with {@link #close}, and with the program that started it. For one thread.
 *
 * <p>The program is found in the folder that PASSERELLE_BIN names, or else in the PATH.
 */
public final class TestServer implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 60;

  private final Path directory;
  private final boolean temporary;
  private final Process process;
  private final Thread atExit;
  private final String address;

  private TestServer(Path directory, boolean temporary, Process process, Thread atExit, String address) {
    this.directory = directory;
    this.temporary = temporary;
    this.process = process;
    this.atExit = atExit;
    this.address = address;
  }

  /**
   * Starts a server on an empty store, which is removed in the end.
   *
   * @param options more of passerelled's, for example --heartbeat-ms, 100
   * @return serves; close it
   */
  public static TestServer start(String... options) {
    try {
      return start(Files.createTempDirectory("passerelle-"), true, options);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /**
   * Starts a server on a store that stays: to start another one on it later.
   *
   * @param directory of the store and its log; made if there is none
   * @param options more of passerelled's
   * @return serves; close it
   */
  public static TestServer startIn(Path directory, String... options) {
    try {
      return start(Files.createDirectories(directory), false, options);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /** What is temporary goes when the server does, or when it does not start. */
  static TestServer start(Path directory, boolean temporary, String... options) throws IOException {
    try {
      return launch(directory, temporary, options);
    } catch (IOException | RuntimeException failed) {
      if (temporary) {
        remove(directory);
      }
      throw failed;
    }
  }

  private static TestServer launch(Path directory, boolean temporary, String... options) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(program().toString());
    command.addAll(List.of("--data", directory.resolve("data").toString()));
    command.addAll(List.of("--listen", "127.0.0.1:0", "--insecure-loopback"));
    command.addAll(List.of(options));
    Process process = new ProcessBuilder(command)
        .redirectError(ProcessBuilder.Redirect.appendTo(directory.resolve("server.log").toFile()))
        .start();
    Thread atExit = new Thread(process::destroyForcibly, "passerelle-test-server");
    Runtime.getRuntime().addShutdownHook(atExit);
    try {
      return new TestServer(directory, temporary, process, atExit, addressOf(process));
    } catch (RuntimeException failed) {
      process.destroyForcibly().onExit().join();
      Runtime.getRuntime().removeShutdownHook(atExit);
      throw new IllegalStateException(failed.getMessage() + ": " + tailOf(directory.resolve("server.log")), failed);
    }
  }

  private static Path program() {
    String folder = System.getenv("PASSERELLE_BIN");
    String folders = folder == null || folder.isEmpty() ? System.getenv().getOrDefault("PATH", "") : folder;
    return Stream.of(folders.split(File.pathSeparator))
        .map(each -> Path.of(each, "passerelled"))
        .filter(Files::isExecutable)
        .findFirst()
        .orElseThrow(() -> new IllegalStateException(
            "no passerelled in " + folders + ": build it (tools/check), then set PASSERELLE_BIN to its folder"));
  }

  /** The server prints one line of JSON when it serves. */
  private static String addressOf(Process process) {
    BufferedReader output = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    CompletableFuture<String> line = CompletableFuture.supplyAsync(() -> firstLine(output));
    try {
      String first = line.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (first == null) {
        throw new IllegalStateException("the server did not start");
      }
      return JsonParser.parseString(first).getAsJsonObject().get("address").getAsString();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the server started", interrupted);
    } catch (ExecutionException | TimeoutException failed) {
      throw new IllegalStateException("the server did not say that it serves", failed);
    }
  }

  private static String firstLine(BufferedReader output) {
    try {
      return output.readLine();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static String tailOf(Path log) throws IOException {
    String all = Files.readString(log);
    return all.substring(Math.max(0, all.length() - 2_000));
  }

  /**
   * Where it serves.
   *
   * @return for example 127.0.0.1:40123
   */
  public String address() {
    return address;
  }

  /**
   * A client of it, in the instance default.
   *
   * @return close it
   */
  public Client connect() {
    return Client.connect(address);
  }

  /** Ends it as a crash would. */
  public void kill() {
    process.destroyForcibly();
    await();
  }

  /** Ends it in order, by force after a minute, and removes its store if it was made for it. Does nothing the second time. */
  @Override
  public void close() {
    process.destroy();
    if (!await()) {
      kill();
    }
    Runtime.getRuntime().removeShutdownHook(atExit);
    if (temporary) {
      remove(directory);
    }
  }

  private boolean await() {
    try {
      return process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static void remove(Path directory) {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(each);
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
