package dev.passerelle;

import dev.passerelle.v1.ExportLogsRequest;
import dev.passerelle.v1.ExportLogsResponse;
import dev.passerelle.v1.LogServiceGrpc.LogServiceBlockingStub;
import java.time.Duration;
import java.util.Iterator;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Log rows in batches, each with the cursor after it; reconnects by itself. Iterate over it once, on one thread, then close
 * it. Closing it on another thread ends a wait for the next batch with a PasserelleException of code CANCELLED.
 */
public final class LogExport implements Iterable<LogBatch>, AutoCloseable {
  private final Messages messages;
  private final Acknowledgements acknowledgements;
  private boolean begun;

  LogExport(
      LogServiceBlockingStub stub, ExportLogsRequest request, Acknowledgements acknowledgements, Duration retryFor) {
    this.messages = new Messages(stub, request, retryFor);
    this.acknowledgements = acknowledgements;
  }

  /**
   * The batches. IllegalStateException the second time.
   *
   * @return ends with the log, or never if the export follows it; throws PasserelleException
   */
  @Override
  public Iterator<LogBatch> iterator() {
    if (begun) {
      throw new IllegalStateException("an export is iterated over once: begin another one at the last cursor");
    }
    begun = true;
    return new Batches();
  }

  /**
   * The batches as a stream, which closes the export when it is closed.
   *
   * @return ordered and sequential
   */
  public Stream<LogBatch> stream() {
    Spliterator<LogBatch> batches = Spliterators.spliteratorUnknownSize(iterator(), Spliterator.ORDERED);
    return StreamSupport.stream(batches, false).onClose(this::close);
  }

  /** Ends the export. Batches that were given can still be acknowledged. Thread-safe. */
  @Override
  public void close() {
    messages.close();
  }

  /** A message is read when it is asked for, so that the batch before it was dealt with. */
  private final class Batches extends Lookahead<LogBatch> {
    private LogBatch last;

    @Override
    LogBatch read() {
      if (last != null) {
        LogBatch before = last;
        messages.within(() -> {
          acknowledgements.passOver(before);
          return null;
        });
      }
      last = nextBatch();
      return last;
    }

    private LogBatch nextBatch() {
      for (ExportLogsResponse message = messages.receive(); message != null; message = messages.receive()) {
        if (message.hasHeader()) {
          messages.begin(message, acknowledgements);
          continue;
        }
        messages.received(message);
        LogBatch batch = new LogBatch(message, messages.header, acknowledgements);
        acknowledgements.give(batch);
        return batch;
      }
      return null;
    }
  }

  private static final class Messages extends ResumedStream<ExportLogsResponse> {
    private final LogServiceBlockingStub stub;
    private ExportLogsRequest request;
    private ExportLogsResponse.Header header = ExportLogsResponse.Header.getDefaultInstance();
    private boolean begun;
    private boolean atEnd; // of the call under way

    Messages(LogServiceBlockingStub stub, ExportLogsRequest request, Duration retryFor) {
      super(retryFor);
      this.stub = stub;
      this.request = request;
    }

    @Override
    Iterator<ExportLogsResponse> open() {
      atEnd = false;
      return stub.exportLogs(request);
    }

    @Override
    boolean mayEndHere() {
      return atEnd && !request.getFollow();
    }

    /** One that broke off at its end is opened again too: rows may have come since. */
    @Override
    boolean isWhole() {
      return false;
    }

    void begin(ExportLogsResponse message, Acknowledgements acknowledgements) {
      if (!begun) {
        acknowledgements.begin(message.getSequence(), request.getCursor().isEmpty());
      }
      begun = true;
      header = message.getHeader();
      atEnd = isAtEnd(message);
    }

    private boolean isAtEnd(ExportLogsResponse message) {
      return message.getSequence() >= header.getEndSequence();
    }

    void received(ExportLogsResponse message) {
      request = request.toBuilder().setCursor(message.getCursor()).build();
      atEnd = isAtEnd(message);
      progressed();
    }
  }
}
