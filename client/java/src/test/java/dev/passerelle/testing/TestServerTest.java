package dev.passerelle.testing;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.passerelle.Client;
import dev.passerelle.IngestOptions;
import dev.passerelle.Row;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("server")
class TestServerTest {
  @Test
  void itServesUntilItIsClosedAndLeavesNothing(@TempDir Path place) throws IOException {
    Path directory = Files.createDirectory(place.resolve("server"));
    String address;
    try (TestServer server = TestServer.start(directory, true); Client client = server.connect()) {
      address = server.address();
      assertEquals(Map.of("CREATED", 1L), client.importProfiles(
          List.of(Row.of("external_id", "1")), new IngestOptions().identities("external_id")).counts());
      assertTrue(Files.exists(directory.resolve("data")));
    }
    assertFalse(Files.exists(directory), "its data is there still");
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    assertThrows(ConnectException.class, () -> new Socket("127.0.0.1", port).close());
  }

  @Test
  void closingItAgainDoesNothing() {
    TestServer server = TestServer.start();
    server.close();
    assertDoesNotThrow(server::close);
  }

  @Test
  void oneThatDoesNotStartSaysWhyAndLeavesNothing(@TempDir Path place) throws IOException {
    Path directory = Files.createDirectory(place.resolve("server"));
    IllegalStateException failure = assertThrows(
        IllegalStateException.class, () -> TestServer.start(directory, true, "--no-such-option"));
    assertTrue(failure.getMessage().contains("no-such-option"), failure.getMessage());
    assertFalse(Files.exists(directory));
  }
}
