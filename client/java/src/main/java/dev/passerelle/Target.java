package dev.passerelle;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a server is, as people write it, and as gRPC for Java wants it. */
final class Target {
  static final String DEFAULT = "127.0.0.1:7701";
  private static final Pattern SCHEME = Pattern.compile("dns:///|ipv4:|ipv6:|dns:(?!//)");
  private static final Pattern IPV4 = Pattern.compile("127(\\.(0|[1-9][0-9]{0,2})){3}");
  private static final Pattern IPV6 = Pattern.compile("[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*(%[0-9a-zA-Z]+)?");
  private static final Pattern BRACKETED = Pattern.compile("\\[([^\\[\\]]*)](?::[0-9]*)?");
  private static final Pattern NAMED = Pattern.compile("([^:]*):[0-9]*");

  private Target() {}

  /** True if it is on this machine whatever a name server says; false if in doubt. */
  static boolean isLocal(String target) {
    if (isUnix(target)) {
      return true;
    }
    return List.of(withoutScheme(target).split(",", -1)).stream().allMatch(Target::isLoopback);
  }

  /** IllegalArgumentException for what gRPC for Java does not speak. */
  static String forGrpc(String target) {
    if (target.startsWith("unix:")) {
      return "unix://" + absolute(target.substring("unix:".length()));
    }
    if (target.startsWith("unix-abstract:")) {
      throw new IllegalArgumentException(target + ": gRPC for Java has no abstract Unix sockets, give unix:/path");
    }
    String address = withoutScheme(target);
    if (address.contains(",")) {
      throw new IllegalArgumentException(target + ": gRPC for Java takes one address; a name may have several");
    }
    return SCHEME.matcher(target).lookingAt() ? "dns:///" + address : address;
  }

  private static boolean isUnix(String target) {
    return target.startsWith("unix:") || target.startsWith("unix-abstract:");
  }

  private static String absolute(String path) {
    String plain = path.startsWith("//") ? path.substring(2) : path;
    return Path.of(plain).toAbsolutePath().toString();
  }

  private static String withoutScheme(String target) {
    Matcher scheme = SCHEME.matcher(target);
    return scheme.lookingAt() ? target.substring(scheme.end()) : target;
  }

  private static boolean isLoopback(String address) {
    String host = hostOf(address);
    if (host.toLowerCase(Locale.ROOT).equals("localhost") || isLoopback4(host)) {
      return true;
    }
    try {
      // A literal is never looked up by name. An IPv4 address inside of it would come back as IPv4.
      return IPV6.matcher(host).matches()
          && InetAddress.getByName(host) instanceof Inet6Address found && found.isLoopbackAddress();
    } catch (UnknownHostException malformed) {
      return false;
    }
  }

  private static boolean isLoopback4(String host) {
    if (!IPV4.matcher(host).matches()) {
      return false;
    }
    for (String part : host.split("\\.")) {
      if (Integer.parseInt(part) > 255) {
        return false;
      }
    }
    return true;
  }

  /** The address without its port; as it is, if what follows a colon is none: gRPC reads localhost:1@far as the host far. */
  private static String hostOf(String address) {
    Matcher parts = BRACKETED.matcher(address);
    parts = parts.matches() ? parts : NAMED.matcher(address);
    return parts.matches() ? parts.group(1) : address;
  }
}
