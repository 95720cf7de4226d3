package dev.passerelle;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.Serializable;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call that failed. Immutable. */
public final class PasserelleException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Status.Code code;
  private final String words;
  private final Details details;

  /**
   * What the details of a failed call tell.
   *
   * @param failure as a stub throws it
   */
  public PasserelleException(StatusRuntimeException failure) {
    this(failure.getStatus(), Details.of(failure), failure);
  }

  private PasserelleException(Status status, Details details, Throwable cause) {
    super(sentence(status, details), cause);
    this.code = codeOf(status);
    this.words = wordsOf(status, details);
    this.details = details;
  }

  /** A connection that broke under a write is UNKNOWN to gRPC for Java, where every other lost one is UNAVAILABLE. */
  private static Status.Code codeOf(Status status) {
    return brokeUnderWrite(status) ? Status.Code.UNAVAILABLE : status.getCode();
  }

  private static boolean brokeUnderWrite(Status status) {
    return status.getCode() == Status.Code.UNKNOWN && status.getCause() instanceof ClosedChannelException;
  }

  /** True if gRPC itself would have made a read again, had it known this for what it is. */
  boolean brokeUnderWrite() {
    return getCause() instanceof StatusRuntimeException failure && brokeUnderWrite(failure.getStatus());
  }

  /** Of a call that the caller gave up. */
  static PasserelleException cancelled(String words) {
    return new PasserelleException(Status.CANCELLED.withDescription(words), Details.NONE, null);
  }

  /** Of a stream that the server ended with OK, though more was to come. */
  static PasserelleException endedEarly() {
    Status status = Status.UNAVAILABLE.withDescription("the server ended the stream before it was finished");
    return new PasserelleException(status, Details.NONE, null);
  }

  /**
   * The code of gRPC.
   *
   * @return never OK
   */
  public Status.Code code() {
    return code;
  }

  /**
   * Why it failed.
   *
   * @return a value of {@code dev.passerelle.v1.ErrorReason} without its prefix, for example DESTINATION_PAUSED; empty where
   *     gRPC itself failed (no connection, an oversized message)
   */
  public String reason() {
    return details.reason;
  }

  /**
   * What the server, or gRPC, says of it.
   *
   * @return without code and reason, which {@link #getMessage()} has too
   */
  public String words() {
    return words;
  }

  /**
   * Facts that belong to the reason, for example {@code earliest} of CURSOR_EXPIRED.
   *
   * @return by name
   */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(details.metadata);
  }

  /**
   * The fields that were refused.
   *
   * @return in the server's order
   */
  public List<FieldViolation> fieldViolations() {
    return Collections.unmodifiableList(details.fields);
  }

  /**
   * When to come again.
   *
   * @return empty where the server names no time
   */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(details.retryDelay);
  }

  /**
   * Whether the same may succeed later: the server was away, was too busy and said so, or was stopped while it worked; or
   * the mapping of a destination was changed under a stream (MAPPING_CHANGED), which may be opened again at once. A named
   * ingest does all this by itself, for as long as {@link IngestOptions#retryFor} says. Of a call that the server was
   * stopped in, gRPC says CANCELLED and the server no reason; whether it was done is not known.
   *
   * @return false if another try would fail likewise
   */
  public boolean retryable() {
    boolean cutOff = code == Status.Code.CANCELLED && reason().isEmpty();
    boolean busy = code == Status.Code.RESOURCE_EXHAUSTED && details.retryDelay != null;
    return code == Status.Code.UNAVAILABLE || busy || mappingChanged() || cutOff;
  }

  /** Whether a stream ended because its fields may now be mapped to attributes of other types. */
  boolean mappingChanged() {
    return code == Status.Code.ABORTED && reason().equals("MAPPING_CHANGED");
  }

  private static String sentence(Status status, Details details) {
    return codeOf(status) + (details.reason.isEmpty() ? "" : " " + details.reason) + ": " + wordsOf(status, details);
  }

  /** The server's own words; where gRPC itself failed, the first line of its words and the cause, which says what to do. */
  private static String wordsOf(Status status, Details details) {
    String words = status.getDescription() == null ? "" : status.getDescription();
    if (!details.reason.isEmpty()) {
      return words;
    }
    Throwable cause = status.getCause();
    if (cause == null) {
      return words;
    }
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return words.lines().findFirst().orElse("failed") + " (" + cause + ")";
  }

  /** The details that the client reads; others are left alone. */
  private static final class Details implements Serializable {
    private static final long serialVersionUID = 1L;
    static final Details NONE = new Details();

    private final ArrayList<FieldViolation> fields = new ArrayList<>();
    private String reason = "";
    private HashMap<String, String> metadata = new HashMap<>();
    private Duration retryDelay;

    static Details of(StatusRuntimeException failure) {
      Details details = new Details();
      try {
        com.google.rpc.Status status = StatusProto.fromThrowable(failure);
        if (status != null) {
          status.getDetailsList().forEach(details::read);
        }
      } catch (IllegalArgumentException contradicting) {
        // Details of another code than the call's, or garbage, as a proxy may make: the call's own status counts.
        return NONE;
      }
      return details;
    }

    private void read(Any detail) {
      try {
        if (detail.is(ErrorInfo.class)) {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          reason = info.getReason();
          metadata = new HashMap<>(info.getMetadataMap());
        } else if (detail.is(BadRequest.class)) {
          for (BadRequest.FieldViolation one : detail.unpack(BadRequest.class).getFieldViolationsList()) {
            fields.add(new FieldViolation(one.getField(), one.getDescription()));
          }
        } else if (detail.is(RetryInfo.class)) {
          com.google.protobuf.Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
          retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        }
      } catch (InvalidProtocolBufferException unreadable) {
        // A detail that cannot be read leaves the code and the words, which are enough to act on.
        return;
      }
    }
  }
}
