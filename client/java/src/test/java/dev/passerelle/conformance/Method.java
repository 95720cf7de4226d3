package dev.passerelle.conformance;

import com.google.gson.JsonObject;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.passerelle.Client;
import dev.passerelle.Stubs;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.List;

/** A method of a generated stub, found by its name in the contract. */
record Method(Object stub, java.lang.reflect.Method method) {
  static Method of(Client client, String path) {
    String service = path.substring(path.lastIndexOf('.') + 1, path.indexOf('/'));
    String name = path.substring(path.indexOf('/') + 1);
    Object stub = stubOf(client, service + "BlockingStub");
    String own = Character.toLowerCase(name.charAt(0)) + name.substring(1);
    return Arrays.stream(stub.getClass().getMethods())
        .filter(each -> each.getName().equals(own))
        .findFirst()
        .map(found -> new Method(stub, found))
        .orElseThrow(() -> new UnsupportedOperationException(path));
  }

  private static Object stubOf(Client client, String className) {
    try {
      for (RecordComponent component : Stubs.class.getRecordComponents()) {
        if (component.getType().getSimpleName().equals(className)) {
          return component.getAccessor().invoke(client.stubs());
        }
      }
    } catch (ReflectiveOperationException impossible) {
      throw new IllegalStateException(impossible);
    }
    throw new UnsupportedOperationException("no stub " + className);
  }

  Message request(JsonObject json) throws InvalidProtocolBufferException {
    try {
      Message.Builder builder = (Message.Builder) method.getParameterTypes()[0].getMethod("newBuilder").invoke(null);
      JsonFormat.parser().merge(json.toString(), builder);
      return builder.build();
    } catch (ReflectiveOperationException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  Message invoke(Message request) {
    try {
      return (Message) method.invoke(stub, request);
    } catch (InvocationTargetException failed) {
      throw (RuntimeException) failed.getCause();
    } catch (IllegalAccessException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  static List<Message> items(Message answer, String field) {
    List<?> items = (List<?>) answer.getField(answer.getDescriptorForType().findFieldByName(field));
    return items.stream().map(Message.class::cast).toList();
  }
}
