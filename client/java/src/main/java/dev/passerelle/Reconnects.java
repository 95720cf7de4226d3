package dev.passerelle;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Finds a server that comes back within a second. A channel's own waits between two connections grow from one second to two
 * minutes, and there is no setting for them. Thread-safe; ends with the channel.
 */
final class Reconnects {
  private static final long FIRST_DELAY_MS = 100;
  private static final long LONGEST_DELAY_MS = 1_000;

  private final ManagedChannel channel;
  private final ScheduledExecutorService timer;
  private long delayMs = FIRST_DELAY_MS;

  Reconnects(ManagedChannel channel, ScheduledExecutorService timer) {
    this.channel = channel;
    this.timer = timer;
  }

  /** Begins to watch; and again after every change of the channel's state. */
  synchronized void watch() {
    ConnectivityState state = channel.getState(false);
    if (state == ConnectivityState.TRANSIENT_FAILURE) {
      connectLater();
      return;
    }
    delayMs = FIRST_DELAY_MS;
    if (state != ConnectivityState.SHUTDOWN) {
      channel.notifyWhenStateChanged(state, this::watch);
    }
  }

  // The state stays as it is while one attempt after the other fails, so that no change would tell of them.
  private void connectLater() {
    try {
      timer.schedule(this::connect, delayMs, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException closed) {
      return;
    }
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
  }

  private void connect() {
    channel.resetConnectBackoff();
    watch();
  }
}
