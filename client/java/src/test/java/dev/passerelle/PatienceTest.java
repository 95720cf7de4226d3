package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PatienceTest {
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private static final PasserelleException BUSY = Failures.overloaded(Duration.ofMillis(700));
  private static final PasserelleException AWAY = Failures.of(Status.UNAVAILABLE);

  private static Duration next(Patience patience, PasserelleException failure) {
    return patience.nextDelay(failure, true, null);
  }

  @Test
  void itWaitsAtLeastAsLongAsTheServerAsks() {
    long wait = next(new Patience(MINUTE), BUSY).toMillis();
    assertTrue(wait >= 700 && wait <= 875, "got " + wait);
  }

  @Test
  void itWaitsLongerAndLongerUntilSomethingGotOn() {
    Patience patience = new Patience(MINUTE);
    long longest = 0;
    for (int i = 0; i < 10; i++) {
      longest = Math.max(longest, next(patience, AWAY).toMillis());
    }
    assertTrue(longest >= 3_000 && longest <= 3_750, "got " + longest);
    patience.progressed();
    assertTrue(next(patience, AWAY).toMillis() <= 125);
  }

  @Test
  void whatCannotBeRepeatedIsNotTriedAgain() {
    assertNull(next(new Patience(MINUTE), Failures.of(Status.INVALID_ARGUMENT)));
    assertNull(next(new Patience(MINUTE), Failures.of(Status.RESOURCE_EXHAUSTED)));
    assertNull(new Patience(MINUTE).nextDelay(AWAY, false, null));
    assertNotNull(next(new Patience(MINUTE), Failures.of(Status.CANCELLED)), "the server was stopped");
  }

  @Test
  void itGivesUpWhenNothingGotOnForTooLongOrTheDeadlineComesFirst() {
    assertNull(next(new Patience(Duration.ZERO), AWAY));
    Deadline soon = Deadline.after(50, TimeUnit.MILLISECONDS);
    assertNull(new Patience(MINUTE).nextDelay(AWAY, true, soon));
    assertNotNull(new Patience(MINUTE).nextDelay(AWAY, true, Deadline.after(20, TimeUnit.SECONDS)));
  }

  @Test
  void anInterruptedThreadAndACancelledContextWaitForNothing() {
    Thread.currentThread().interrupt();
    PasserelleException interrupted =
        assertThrows(PasserelleException.class, () -> new Patience(MINUTE).await(AWAY, true, null));
    assertTrue(Thread.interrupted(), "the mark stays for the caller");
    assertEquals(Status.Code.CANCELLED, interrupted.code());
    Context.CancellableContext context = Context.current().withCancellation();
    context.cancel(null);
    PasserelleException cancelled = assertThrows(
        PasserelleException.class, () -> context.run(() -> new Patience(MINUTE).await(BUSY, true, null)));
    assertEquals(Status.Code.CANCELLED, cancelled.code());
    PasserelleException last = Failures.of(Status.NOT_FOUND);
    assertSame(last, assertThrows(
        PasserelleException.class, () -> context.run(() -> new Patience(MINUTE).await(last, true, null))));
  }

  @Test
  void aWaitEndsWhenItsContextIsCancelled() {
    Context.CancellableContext context = Context.current().withCancellation();
    Thread canceller = new Thread(() -> context.cancel(null));
    PasserelleException hour = Failures.overloaded(Duration.ofHours(1));
    PasserelleException failure = assertThrows(PasserelleException.class, () -> context.run(() -> {
      canceller.start();
      new Patience(Duration.ofDays(1)).await(hour, true, null);
    }));
    assertEquals(Status.Code.CANCELLED, failure.code());
  }

  @Test
  void whatALoopReadsFirstIsReadAgainToo() {
    int[] tries = {0};
    String answer = Patience.patiently(MINUTE, () -> {
      if (tries[0]++ == 0) {
        throw AWAY;
      }
      return "there";
    });
    assertEquals("there", answer);
    assertEquals(2, tries[0]);
  }
}
