package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.StringValue;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PasserelleExceptionTest {
  @Test
  void theDetailsAreReadAndOthersLeftAlone() {
    PasserelleException failure = Failures.of(
        Status.Code.INVALID_ARGUMENT,
        "fields[0]: unknown attribute 'citty'",
        StringValue.of("somebody else's"),
        ErrorInfo.newBuilder().setReason("UNKNOWN_ATTRIBUTE").putMetadata("attribute", "citty").build(),
        BadRequest.newBuilder()
            .addFieldViolations(
                BadRequest.FieldViolation.newBuilder().setField("fields[0]").setDescription("unknown"))
            .build());
    assertEquals(Status.Code.INVALID_ARGUMENT, failure.code());
    assertEquals("UNKNOWN_ATTRIBUTE", failure.reason());
    assertEquals(Map.of("attribute", "citty"), failure.metadata());
    assertEquals(List.of(new FieldViolation("fields[0]", "unknown")), failure.fieldViolations());
    assertEquals("INVALID_ARGUMENT UNKNOWN_ATTRIBUTE: fields[0]: unknown attribute 'citty'", failure.getMessage());
    assertTrue(failure.retryDelay().isEmpty());
    assertFalse(failure.retryable());
  }

  @Test
  void whatMaySucceedLaterIsRetryable() {
    assertTrue(Failures.of(Status.UNAVAILABLE).retryable());
    assertTrue(Failures.overloaded(Duration.ofMillis(1)).retryable());
    assertTrue(Failures.of(Status.CANCELLED).retryable(), "the server was stopped while it worked");
    assertFalse(Failures.of(Status.RESOURCE_EXHAUSTED).retryable(), "a message over the limit stays so");
    assertFalse(Failures.of(Status.DEADLINE_EXCEEDED).retryable());
    ErrorInfo remapped = ErrorInfo.newBuilder().setReason("MAPPING_CHANGED").build();
    assertTrue(Failures.of(Status.Code.ABORTED, "the stream may be opened again", remapped).retryable());
    assertFalse(Failures.of(Status.ABORTED).retryable());
    ErrorInfo cancelled = ErrorInfo.newBuilder().setReason("CALL_CANCELLED").build();
    assertFalse(Failures.of(Status.Code.CANCELLED, "the call was cancelled", cancelled).retryable());
  }

  @Test
  void aConnectionThatBrokeUnderAWriteIsALostConnection() {
    PasserelleException broke =
        Failures.of(Status.UNKNOWN.withDescription("channel closed").withCause(new ClosedChannelException()));
    assertEquals(Status.Code.UNAVAILABLE, broke.code());
    assertTrue(broke.retryable());
    assertTrue(broke.getMessage().startsWith("UNAVAILABLE: channel closed"), broke.getMessage());
    assertEquals(Status.Code.UNKNOWN, Failures.of(Status.UNKNOWN.withDescription("channel closed")).code());
  }

  @Test
  void whenTheServerSaysIsTold() {
    Duration delay = Duration.ofSeconds(2, 5_000);
    assertEquals(delay, Failures.overloaded(delay).retryDelay().orElseThrow());
  }

  @Test
  void detailsThatContradictTheStatusAreLeftAlone() {
    StatusRuntimeException twoMinds = StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder().setCode(Status.Code.NOT_FOUND.value()).build());
    PasserelleException failure =
        new PasserelleException(Status.UNAVAILABLE.asRuntimeException(twoMinds.getTrailers()));
    assertEquals(Status.Code.UNAVAILABLE, failure.code());
    assertEquals("", failure.reason());
  }

  @Test
  void theCauseOfALostConnectionIsTold() {
    Status status = Status.UNAVAILABLE.withDescription("io exception\nChannel Pipeline: [a, b]")
        .withCause(new IOException("wrapped", new IOException("certificate unknown")));
    String message = Failures.of(status).getMessage();
    assertEquals("UNAVAILABLE: io exception (java.io.IOException: certificate unknown)", message);
  }
}
