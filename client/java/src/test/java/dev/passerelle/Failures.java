package dev.passerelle;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;

/** Failures as a server would make them. */
final class Failures {
  private Failures() {}

  /** One that the server says nothing more of. */
  static PasserelleException of(Status status) {
    return new PasserelleException(status.asRuntimeException());
  }

  /** One with details. */
  static PasserelleException of(Status.Code code, String words, Message... details) {
    return new PasserelleException(thrown(code, words, details));
  }

  /** The same as gRPC throws it. */
  static StatusRuntimeException thrown(Status.Code code, String words, Message... details) {
    com.google.rpc.Status.Builder status = com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage(words);
    for (Message detail : details) {
      status.addDetails(Any.pack(detail));
    }
    return StatusProto.toStatusRuntimeException(status.build());
  }

  static PasserelleException overloaded(Duration delay) {
    com.google.protobuf.Duration wire =
        com.google.protobuf.Duration.newBuilder().setSeconds(delay.getSeconds()).setNanos(delay.getNano()).build();
    return of(
        Status.Code.RESOURCE_EXHAUSTED,
        "busy",
        ErrorInfo.newBuilder().setDomain("passerelle").setReason("OVERLOADED").build(),
        RetryInfo.newBuilder().setRetryDelay(wire).build());
  }
}
