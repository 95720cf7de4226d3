package dev.passerelle;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * How long and how often one loop tries again: it gives up when tries have failed for a time and nothing got on. However
 * long a connection was silent before it failed, there is another try. Not thread-safe.
 */
final class Patience {
  static final Duration RETRY_FOR = Duration.ofMinutes(1);
  private static final Duration FIRST_DELAY = Duration.ofMillis(100);
  private static final Duration LONGEST_DELAY = Duration.ofSeconds(3);

  private final Duration retryFor;
  private boolean failing;
  private long failingSinceNanos;
  private Duration delay;

  Patience(Duration retryFor) {
    this.retryFor = retryFor;
    progressed();
  }

  /** Something got on: the next failure counts as the first, and the wait after it is short. */
  void progressed() {
    failing = false;
    delay = FIRST_DELAY;
  }

  /**
   * Waits before the next try, at least as long as the server asks. Throws the failure if there is to be none, or none before
   * the deadline, which may be null; CANCELLED if the caller ends the wait.
   */
  void await(PasserelleException failure, boolean repeatable, Deadline deadline) {
    Duration wait = nextDelay(failure, repeatable, deadline);
    if (wait == null) {
      throw failure;
    }
    if (Context.current().isCancelled() || Thread.currentThread().isInterrupted()) {
      // The call may have failed for another reason a moment before; there is no other try because the caller says so.
      throw PasserelleException.cancelled("cancelled by the caller, after " + failure.getMessage());
    }
    sleep(wait);
  }

  /** How long to wait before the next try; null if there is to be none. */
  Duration nextDelay(PasserelleException failure, boolean repeatable, Deadline deadline) {
    long now = System.nanoTime();
    failingSinceNanos = failing ? failingSinceNanos : now;
    failing = true;
    // A call that the server's end cut off arrives as cancelled; the loops cancel only what is over.
    boolean passing = failure.retryable() || failure.code() == Status.Code.CANCELLED;
    boolean tooLong = now - failingSinceNanos >= retryFor.toNanos();
    Duration asked = failure.retryDelay().orElse(Duration.ZERO);
    Duration least = asked.compareTo(delay) > 0 ? asked : delay;
    Duration wait = Duration.ofNanos((long) (least.toNanos() * ThreadLocalRandom.current().nextDouble(1.0, 1.25)));
    boolean late = deadline != null && deadline.timeRemaining(TimeUnit.NANOSECONDS) <= wait.toNanos();
    if (!passing || !repeatable || tooLong || late) {
      return null;
    }
    delay = delay.multipliedBy(2).compareTo(LONGEST_DELAY) < 0 ? delay.multipliedBy(2) : LONGEST_DELAY;
    return wait;
  }

  /** Sleeps; ends early, with an exception, if the thread is interrupted or its context cancelled. */
  private static void sleep(Duration time) {
    CountDownLatch cancelled = new CountDownLatch(1);
    Context.CancellationListener listener = context -> cancelled.countDown();
    Context context = Context.current();
    context.addListener(listener, Runnable::run);
    try {
      if (cancelled.await(time.toNanos(), TimeUnit.NANOSECONDS)) {
        throw PasserelleException.cancelled("cancelled while it waited to try again");
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw PasserelleException.cancelled("interrupted while it waited to try again");
    } finally {
      context.removeListener(listener);
    }
  }

  /** What a loop reads before it begins: it waits for the server as the loop itself does. */
  static <A> A patiently(Duration retryFor, Supplier<A> read) {
    Patience patience = new Patience(retryFor);
    while (true) {
      try {
        return read.get();
      } catch (PasserelleException failure) {
        patience.await(failure, true, null);
      }
    }
  }
}
