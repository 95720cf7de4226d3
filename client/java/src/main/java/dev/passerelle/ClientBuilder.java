package dev.passerelle;

import java.nio.file.Path;
import java.util.Map;

/**
 * How to connect. Without a target, it is PASSERELLE_ADDRESS (or else 127.0.0.1:7701), and what is not said here is read from
 * PASSERELLE_API_KEY, PASSERELLE_API_KEY_FILE, PASSERELLE_CA_FILE, PASSERELLE_CLIENT_CERT and PASSERELLE_CLIENT_KEY. With a
 * target nothing is read from the environment: a key is not sent to a server that it was not meant for. Not thread-safe.
 */
public final class ClientBuilder {
  private String target;
  private String instance = "default";
  private String key;
  private Path keyFile;
  private String ca;
  private Path cert;
  private Path certKey;
  private String serverName;
  private Map<String, String> environment = System.getenv();

  ClientBuilder() {}

  /**
   * Where the server is.
   *
   * @param address for example 127.0.0.1:7701 or unix:/run/passerelle.sock (on Linux)
   * @return this
   */
  public ClientBuilder target(String address) {
    target = address;
    return this;
  }

  /**
   * The campaign instance that names are in.
   *
   * @param id without it, default
   * @return this
   */
  public ClientBuilder instance(String id) {
    instance = id;
    return this;
  }

  /**
   * The API key, sent with every call: over TLS, or in plaintext to this machine.
   *
   * @param secret psk.ID.SECRET
   * @return this
   */
  public ClientBuilder key(String secret) {
    key = secret;
    return this;
  }

  /**
   * A file of the API key.
   *
   * @param file holds psk.ID.SECRET
   * @return this
   */
  public ClientBuilder keyFile(Path file) {
    keyFile = file;
    return this;
  }

  /**
   * Speaks TLS and trusts what these roots signed.
   *
   * @param roots a PEM file, or "system" for the trust store of this Java
   * @return this
   */
  public ClientBuilder ca(String roots) {
    ca = roots;
    return this;
  }

  /**
   * Speaks TLS and shows a client certificate.
   *
   * @param certificate a PEM file; null: none
   * @param privateKey a PEM file, PKCS #8, not encrypted; null: none
   * @return this
   */
  public ClientBuilder cert(Path certificate, Path privateKey) {
    cert = certificate;
    certKey = privateKey;
    return this;
  }

  /**
   * The name that the server's certificate must have.
   *
   * @param name without it, the address's
   * @return this
   */
  public ClientBuilder serverName(String name) {
    serverName = name;
    return this;
  }

  /**
   * Variables to read in the place of the process's environment.
   *
   * @param variables by name
   * @return this
   */
  public ClientBuilder environment(Map<String, String> variables) {
    environment = Map.copyOf(variables);
    return this;
  }

  /**
   * A client. It connects when the first call is made: a wrong server shows there.
   *
   * @return close it
   * @throws IllegalArgumentException for files that cannot be used, and for a key that would go in plaintext to another
   *     machine; nothing was sent
   */
  public Client connect() {
    Security security = new Security(key, keyFile, ca, cert, certKey, serverName);
    String address = target;
    if (address == null) {
      String given = environment.getOrDefault("PASSERELLE_ADDRESS", "");
      address = given.isEmpty() ? Target.DEFAULT : given;
      security = security.orFrom(environment);
    }
    security.requireSafe(address);
    return new Client(address, instance, security);
  }
}
