package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServiceDescriptor;
import io.grpc.stub.AbstractStub;
import java.lang.reflect.RecordComponent;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class ServiceConfigTest {
  private static final Pattern READS = Pattern.compile("(Get|List|Lookup|BatchGet|Count|Explain)[A-Z].*");

  @SuppressWarnings("unchecked")
  private static List<Map<String, ?>> methodConfigs() {
    return (List<Map<String, ?>>) ServiceConfig.read().get("methodConfig");
  }

  @SuppressWarnings("unchecked")
  private static Set<String> repeated() {
    Set<String> names = new TreeSet<>();
    for (Map<String, ?> config : methodConfigs()) {
      for (Map<String, String> name : (List<Map<String, String>>) config.get("name")) {
        names.add(name.get("service") + "/" + name.get("method"));
      }
    }
    return names;
  }

  /** All unary methods that the stubs have. */
  private static Set<String> reads() throws ReflectiveOperationException {
    Set<String> names = new TreeSet<>();
    for (RecordComponent stub : Stubs.class.getRecordComponents()) {
      Class<?> service = stub.getType().asSubclass(AbstractStub.class).getEnclosingClass();
      ServiceDescriptor descriptor = (ServiceDescriptor) service.getMethod("getServiceDescriptor").invoke(null);
      for (MethodDescriptor<?, ?> method : descriptor.getMethods()) {
        if (method.getType() == MethodType.UNARY && READS.matcher(method.getBareMethodName()).matches()) {
          names.add(method.getFullMethodName());
        }
      }
    }
    return names;
  }

  @Test
  void everyReadIsRepeatedAndNothingElse() throws ReflectiveOperationException {
    assertFalse(reads().isEmpty());
    assertEquals(reads(), repeated());
  }

  @Test
  void onlyAServerThatWasAwayIsAskedAgain() {
    for (Map<String, ?> config : methodConfigs()) {
      Map<?, ?> policy = (Map<?, ?>) config.get("retryPolicy");
      assertEquals(List.of("UNAVAILABLE"), policy.get("retryableStatusCodes"));
      assertEquals((double) ServiceConfig.MAX_ATTEMPTS, policy.get("maxAttempts"));
    }
  }
}
