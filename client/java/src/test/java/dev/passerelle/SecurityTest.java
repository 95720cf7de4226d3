package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SecurityTest {
  private static final String KEY = "psk.id1.s3cret-s3cret";

  @TempDir Path folder;

  private static String refusalOf(ClientBuilder builder) {
    return assertThrows(IllegalArgumentException.class, builder::connect).getMessage();
  }

  private Path file(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text);
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "127.0.0.1:7701", "localhost:7701", "LocalHost", "[::1]:7701", "::1", "127.9.9.9", "unix:/run/a.sock", "dns:///localhost:1",
    "dns:127.0.0.1:1", "ipv4:127.0.0.1:1", "ipv6:[::1]:1"
  })
  void thisMachineIsLocal(String target) {
    assertTrue(Target.isLocal(target));
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "cdp.example.com:7701", "localhost.example.com:1", "10.0.0.1:7701", "127.0.0.1.example.com", "127.0.0.999", "127.1",
    "[::ffff:127.0.0.1]:1", "[::2]:1", "127.0.0.1:1,10.0.0.1:1", "dns://10.0.0.1/localhost:1", "", "[::1", "0127.0.0.1",
    "localhost:1@10.0.0.1", "127.0.0.1:@10.0.0.1", "[::1]@10.0.0.1", "[::1].example.com:1", "localhost:a", "localhost:1/x"
  })
  void whatIsInDoubtIsNotLocal(String target) {
    assertFalse(Target.isLocal(target));
  }

  @Test
  void addressesAreWrittenAsGrpcForJavaWantsThem() {
    assertEquals("127.0.0.1:7701", Target.forGrpc("127.0.0.1:7701"));
    assertEquals("dns:///host:1", Target.forGrpc("dns:host:1"));
    assertEquals("dns:///127.0.0.1:1", Target.forGrpc("ipv4:127.0.0.1:1"));
    assertEquals("unix:///run/a.sock", Target.forGrpc("unix:/run/a.sock"));
    assertEquals("unix:///run/a.sock", Target.forGrpc("unix:///run/a.sock"));
    assertThrows(IllegalArgumentException.class, () -> Target.forGrpc("unix-abstract:a"));
    assertThrows(IllegalArgumentException.class, () -> Target.forGrpc("127.0.0.1:1,127.0.0.1:2"));
  }

  @Test
  void aKeyNeverGoesInPlaintextToAnotherMachine() throws IOException {
    String said = refusalOf(Client.builder().target("cdp.example.com:7701").key(KEY));
    assertTrue(said.contains("cdp.example.com:7701 in plaintext"), said);
    assertFalse(said.contains("s3cret"), said);
    refusalOf(Client.builder().target("cdp.example.com:7701").keyFile(file("key", KEY)));
    assertDoesNotThrow(() -> Client.builder().target("127.0.0.1:1").key(KEY).connect().close());
    assertDoesNotThrow(() -> Client.builder().target("cdp.example.com:1").key(KEY).ca("system").connect().close());
  }

  @Test
  void whatIsNoKeyIsNotSent() throws IOException {
    for (String wrong : new String[] {"", "psk", "psk.id", "psk..secret", "psk.id.", "tok.id.secret", "psk.id.a b"}) {
      String said = refusalOf(Client.builder().target("127.0.0.1:1").key(wrong));
      assertTrue(said.startsWith("the API key"), said);
    }
    refusalOf(Client.builder().target("127.0.0.1:1").key("psk.id." + "x".repeat(512)));
    refusalOf(Client.builder().target("127.0.0.1:1").key(KEY).keyFile(file("key", KEY)));
    refusalOf(Client.builder().target("127.0.0.1:1").keyFile(file("empty", "\n")));
    refusalOf(Client.builder().target("127.0.0.1:1").keyFile(folder.resolve("none")));
  }

  @Test
  void aKeyFileMayEndWithANewline() throws IOException {
    Security security = new Security(null, file("key", KEY + "\n"), null, null, null, null);
    assertEquals(Optional.of(KEY), security.readKey());
    assertFalse(new Security(KEY, null, null, null, null, null).toString().contains(KEY));
  }

  @Test
  void whatIsNotSaidComesFromTheEnvironmentAndTheKeyGoesBeforeItsFile() {
    Map<String, String> environment = Map.of(
        "PASSERELLE_API_KEY", KEY, "PASSERELLE_API_KEY_FILE", "a", "PASSERELLE_CA_FILE", "b", "PASSERELLE_CLIENT_CERT", "c",
        "PASSERELLE_CLIENT_KEY", "d");
    Security found = new Security(null, null, null, null, null, null).orFrom(environment);
    assertEquals(KEY, found.key());
    assertNull(found.keyFile());
    assertEquals("b", found.ca());
    assertEquals(Path.of("c"), found.cert());
    assertEquals(Path.of("d"), found.certKey());
    Security said = new Security(null, Path.of("mine"), "my-ca", null, null, null).orFrom(environment);
    assertNull(said.key(), "the caller's own key file counts");
    assertEquals("my-ca", said.ca());
  }

  @Test
  void withATargetNothingComesFromTheEnvironment() {
    Map<String, String> environment = Map.of("PASSERELLE_API_KEY", "not a key", "PASSERELLE_ADDRESS", "127.0.0.1:1");
    assertDoesNotThrow(() -> Client.builder().target("127.0.0.1:1").environment(environment).connect().close());
    assertTrue(refusalOf(Client.builder().environment(environment)).startsWith("the API key"));
  }

  @Test
  void tlsFilesThatCannotBeUsedAreRefusedWithTheWayOut() throws IOException {
    ClientBuilder builder = Client.builder().target("127.0.0.1:1");
    assertTrue(refusalOf(builder.ca(folder.resolve("none").toString())).contains("cannot be read"));
    assertTrue(refusalOf(builder.ca(file("ca", "hello").toString())).contains("is not PEM"));
    Path certificate = file("cert", "-----BEGIN CERTIFICATE-----\n");
    Path key = file("ec", "-----BEGIN EC PRIVATE KEY-----\n");
    assertTrue(refusalOf(builder.ca("system").cert(certificate, key)).contains("openssl pkcs8"));
    assertTrue(refusalOf(builder.cert(certificate, null)).contains("wanted both"));
  }
}
