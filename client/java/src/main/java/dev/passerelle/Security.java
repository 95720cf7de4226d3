package dev.passerelle;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Who calls and whom it trusts. Files are read once, when the channel is made. Every problem is an IllegalArgumentException;
 * no text of one holds a key.
 *
 * @param key the API key; null: none
 * @param keyFile a file of one; null: none
 * @param ca PEM file of the roots to trust, or "system"; null: none is said
 * @param cert PEM file of a client certificate; null: none
 * @param certKey PEM file of its key; null: none
 * @param serverName the name that the server's certificate must have; null: the address's
 */
record Security(String key, Path keyFile, String ca, Path cert, Path certKey, String serverName) {
  private static final String SYSTEM_ROOTS = "system";
  private static final int KEY_BYTES = 512;
  private static final Pattern KEY = Pattern.compile("psk(\\.[\\x21-\\x2d\\x2f-\\x7e]+){2,}");

  /** TLS is spoken if any of its files is given. */
  boolean tls() {
    return ca != null || cert != null || certKey != null;
  }

  /** This, and what it does not say from PASSERELLE_API_KEY (or else _API_KEY_FILE) and the like. */
  Security orFrom(Map<String, String> environment) {
    boolean keyless = key == null && keyFile == null;
    String otherKey = keyless ? get(environment, "PASSERELLE_API_KEY") : null;
    Path otherFile = keyless && otherKey == null ? path(get(environment, "PASSERELLE_API_KEY_FILE")) : null;
    return new Security(
        keyless ? otherKey : key,
        keyless ? otherFile : keyFile,
        ca != null ? ca : get(environment, "PASSERELLE_CA_FILE"),
        cert != null ? cert : path(get(environment, "PASSERELLE_CLIENT_CERT")),
        certKey != null ? certKey : path(get(environment, "PASSERELLE_CLIENT_KEY")),
        serverName);
  }

  private static String get(Map<String, String> environment, String name) {
    String value = environment.get(name);
    return value == null || value.isEmpty() ? null : value;
  }

  private static Path path(String name) {
    return name == null ? null : Path.of(name);
  }

  /** Refuses a key that would leave this machine in plaintext. */
  void requireSafe(String target) {
    if ((key != null || keyFile != null) && !tls() && !Target.isLocal(target)) {
      throw new IllegalArgumentException(
          "the API key is not sent to " + target + " in plaintext, where others could read it: give the CA of its"
              + " certificate (ca), or connect on the server's own machine");
    }
  }

  /** The key to send with every call. */
  Optional<String> readKey() {
    if (key != null && keyFile != null) {
      throw new IllegalArgumentException("got an API key and a file of one, wanted one of the two");
    }
    if (key == null && keyFile == null) {
      return Optional.empty();
    }
    String place = key != null ? "the API key" : "key file " + keyFile;
    String found = key != null ? key : new String(read(keyFile), StandardCharsets.ISO_8859_1).strip();
    if (found.isEmpty()) {
      throw new IllegalArgumentException(place + ": is empty");
    }
    // Another secret, read by mistake (the server's own key file), must not be sent.
    if (found.length() > KEY_BYTES || !KEY.matcher(found).matches()) {
      throw new IllegalArgumentException(
          place + ": got " + found.length() + " characters that are no API key, wanted psk.ID.SECRET");
    }
    return Optional.of(found);
  }

  ChannelCredentials credentials() {
    if (!tls()) {
      return InsecureChannelCredentials.create();
    }
    if ((cert == null) != (certKey == null)) {
      throw new IllegalArgumentException("got one of a client certificate (cert) and its key (certKey), wanted both");
    }
    TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
    try {
      if (ca != null && !ca.equals(SYSTEM_ROOTS)) {
        credentials.trustManager(pem(Path.of(ca)));
      }
      if (cert != null) {
        credentials.keyManager(pem(cert), pkcs8(certKey));
      }
    } catch (IOException unreadable) {
      throw new IllegalArgumentException("the TLS files cannot be read: " + unreadable.getMessage(), unreadable);
    }
    return credentials.build();
  }

  private static InputStream pem(Path file) {
    byte[] data = read(file);
    if (!new String(data, StandardCharsets.ISO_8859_1).contains("-----BEGIN ")) {
      throw new IllegalArgumentException(file + ": is not PEM (-----BEGIN ...)");
    }
    return new ByteArrayInputStream(data);
  }

  /** Java reads keys of one form only; others are told apart, with the way out. */
  private static InputStream pkcs8(Path file) {
    InputStream key = pem(file);
    if (!new String(read(file), StandardCharsets.ISO_8859_1).contains("-----BEGIN PRIVATE KEY-----")) {
      throw new IllegalArgumentException(
          file + ": wanted an unencrypted PKCS #8 key (-----BEGIN PRIVATE KEY-----); openssl pkcs8 -topk8 -nocrypt makes one");
    }
    return key;
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException unreadable) {
      throw new IllegalArgumentException(file + ": cannot be read (" + unreadable + ")", unreadable);
    }
  }

  /** Not the key. */
  @Override
  public String toString() {
    return "Security[tls=" + tls() + "]";
  }
}
