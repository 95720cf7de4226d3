package dev.passerelle;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which calls may be made again; the file is that of every language. */
final class ServiceConfig {
  /** Of one call. gRPC for Java allows no more, whatever the file says. */
  static final int MAX_ATTEMPTS = 4;

  private static final Set<String> REPEATED = repeated(read());

  private ServiceConfig() {}

  /** As gRPC takes it. */
  static Map<String, ?> read() {
    try (InputStream file = ServiceConfig.class.getResourceAsStream("service_config.json");
        Reader text = new InputStreamReader(file, StandardCharsets.UTF_8)) {
      return new Gson().fromJson(text, new TypeToken<Map<String, Object>>() {}.getType());
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  @SuppressWarnings("unchecked") // The file is part of this package.
  private static Set<String> repeated(Map<String, ?> config) {
    Set<String> names = new HashSet<>();
    for (Map<String, ?> methods : (List<Map<String, ?>>) config.get("methodConfig")) {
      for (Map<String, String> name : (List<Map<String, String>>) methods.get("name")) {
        names.add(name.get("service") + "/" + name.get("method"));
      }
    }
    return Set.copyOf(names);
  }

  /** True of a method, as service/method, that changes nothing. */
  static boolean repeats(String method) {
    return REPEATED.contains(method);
  }
}
