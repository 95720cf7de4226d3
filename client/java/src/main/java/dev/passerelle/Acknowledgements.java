package dev.passerelle;

import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * How far the consumer of one export was told to be, and what was given that it may not have been told. Thread-safe: a batch
 * may be acknowledged on another thread than the one that asks for the next.
 */
final class Acknowledgements {
  private final Consumer<String> tell;
  private final BooleanSupplier isBehind;
  private long told = -1;
  private long given = -1;

  /** Without a consumer, {@code tell} is null. */
  Acknowledgements(Consumer<String> tell, BooleanSupplier isBehind) {
    this.tell = tell;
    this.isBehind = isBehind;
  }

  /** Where the export begins. What lies before a cursor of the caller's own is the caller's to acknowledge. */
  synchronized void begin(long sequence, boolean fromConsumer) {
    given = sequence;
    told = fromConsumer ? sequence : -1;
  }

  synchronized void give(LogBatch batch) {
    if (!batch.rows().isEmpty()) {
      given = batch.sequence();
    }
  }

  void tell(LogBatch batch) {
    if (tell == null) {
      throw new IllegalStateException("only an export by a source's consumer can be acknowledged");
    }
    tell.accept(batch.cursor());
    note(batch.sequence());
  }

  /**
   * Tells of a batch without rows, if all rows before it are acknowledged and the consumer is behind: sequences grow by
   * acknowledging too.
   */
  void passOver(LogBatch batch) {
    if (tell == null || !batch.rows().isEmpty() || !allBeforeAreTold(batch)) {
      return;
    }
    if (isBehind.getAsBoolean()) {
      tell(batch);
    }
    note(batch.sequence());
  }

  private synchronized boolean allBeforeAreTold(LogBatch batch) {
    return given <= told && told < batch.sequence();
  }

  private synchronized void note(long sequence) {
    told = Math.max(told, sequence);
  }
}
