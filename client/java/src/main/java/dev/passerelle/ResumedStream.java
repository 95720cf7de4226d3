package dev.passerelle;

import io.grpc.Context;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Iterator;
import java.util.function.Supplier;

/**
 * Messages of a server's stream that is begun again, where it was, when it broke off. For one thread; only {@link #close} may
 * be called on another, which ends a wait of the first with CANCELLED.
 */
abstract class ResumedStream<M> implements AutoCloseable {
  // Each stream has one of its own, so that closing it cancels its call and its waits, and nothing else.
  private final Context.CancellableContext context = Context.current().withCancellation();
  private final Patience patience;
  private Iterator<M> call;

  ResumedStream(Duration retryFor) {
    this.patience = new Patience(retryFor);
  }

  /** Begins the stream, or goes on after the last message received. */
  abstract Iterator<M> open();

  /** Whether the server may end the call here, with OK: else it broke off. */
  abstract boolean mayEndHere();

  /** Whether all is received, however the call ends now. */
  abstract boolean isWhole();

  /** The next message; null at the end of the stream. PasserelleException if it failed for good. */
  M receive() {
    while (true) {
      try {
        M message = within(this::receiveOnce);
        if (message != null || mayEndHere()) {
          return message;
        }
        failed(PasserelleException.endedEarly());
      } catch (StatusRuntimeException failure) {
        if (isWhole()) {
          return null;
        }
        failed(new PasserelleException(failure));
      }
    }
  }

  private M receiveOnce() {
    call = call == null ? open() : call;
    return call.hasNext() ? call.next() : null;
  }

  private void failed(PasserelleException failure) {
    call = null;
    within(() -> {
      patience.await(failure, true, null);
      return null;
    });
  }

  /** A message came that the stream would go on after. */
  void progressed() {
    patience.progressed();
  }

  /** Does something that closing the stream ends. */
  <A> A within(Supplier<A> work) {
    Context before = context.attach();
    try {
      return work.get();
    } finally {
      context.detach(before);
    }
  }

  @Override
  public void close() {
    context.cancel(null);
  }
}
