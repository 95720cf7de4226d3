package dev.passerelle;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongFunction;

/** Rows from an offset on, with those not acknowledged yet kept for sending again. Not thread-safe. */
final class Rows<T> {
  /** An iterator and the offset of its first row: less than was asked for if the source has fewer rows. */
  private record Begun<T>(long start, Iterator<? extends T> rows) {}

  private final LongFunction<Begun<T>> source;
  private final ArrayDeque<T> kept = new ArrayDeque<>();
  private Iterator<? extends T> rows;
  private long start; // offset of the first kept row
  private long next; // offset of the next row to give

  private Rows(LongFunction<Begun<T>> source) {
    this.source = source;
  }

  static <T> Rows<T> of(RowSource<? extends T> source) {
    return new Rows<>(offset -> new Begun<>(offset, source.from(offset)));
  }

  static <T> Rows<T> of(Iterable<? extends T> source) {
    return new Rows<>(source instanceof List<? extends T> list ? offset -> begin(list, offset) : once(source));
  }

  private static <T> Begun<T> begin(List<? extends T> list, long offset) {
    int start = (int) Math.min(offset, list.size());
    return new Begun<>(start, list.listIterator(start));
  }

  /** Iterated over once only: what such a source gives the second time may be the rest of what it gave the first. */
  private static <T> LongFunction<Begun<T>> once(Iterable<? extends T> source) {
    AtomicBoolean begun = new AtomicBoolean();
    return offset -> {
      if (begun.getAndSet(true)) {
        throw new IllegalStateException(
            "the server knows fewer rows than it did, as after a restore, and this source is read once: run it again");
      }
      return skip(source, offset);
    };
  }

  private static <T> Begun<T> skip(Iterable<? extends T> source, long offset) {
    Iterator<? extends T> rows = source.iterator();
    long skipped = 0;
    while (skipped < offset && rows.hasNext()) {
      rows.next();
      skipped++;
    }
    return new Begun<>(skipped, rows);
  }

  /**
   * Gives rows from an offset on next. One that lies before what is kept, as after a restore, begins the source anew;
   * IllegalStateException of a source that is read once.
   */
  void seek(long offset) {
    if (rows == null || offset < start) {
      kept.clear();
      Begun<T> begun = source.apply(offset);
      start = begun.start;
      rows = begun.rows;
    }
    forget(offset);
    next = offset;
  }

  /** The offset of the next row. */
  long next() {
    return next;
  }

  /** The offset after the last row read so far. */
  long end() {
    return start + kept.size();
  }

  /** The next rows, at most so many. */
  List<T> take(int limit) {
    while (end() < next + limit && rows.hasNext()) {
      kept.add(rows.next());
    }
    List<T> taken = new ArrayList<>(limit);
    Iterator<T> all = kept.iterator();
    for (long at = start; at < next + limit && all.hasNext(); at++) {
      T row = all.next();
      if (at >= next) {
        taken.add(row);
      }
    }
    next += taken.size();
    return taken;
  }

  /** Gives rows from an offset on once more; they were taken and not acknowledged. */
  void giveBack(long offset) {
    next = offset;
  }

  /** Rows before an offset are durable. */
  void forget(long offset) {
    while (start < offset && !kept.isEmpty()) {
      kept.poll();
      start++;
    }
  }
}
