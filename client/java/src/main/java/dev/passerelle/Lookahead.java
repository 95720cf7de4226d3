package dev.passerelle;

import java.util.Iterator;
import java.util.NoSuchElementException;

/** An iterator that reads one item ahead, no sooner than it is asked whether there is one. For one thread. */
abstract class Lookahead<T> implements Iterator<T> {
  private T next;
  private boolean ended;

  /** The next item; null if there is none. */
  abstract T read();

  @Override
  public final boolean hasNext() {
    if (next == null && !ended) {
      next = read();
      ended = next == null;
    }
    return next != null;
  }

  @Override
  public final T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    T item = next;
    next = null;
    return item;
  }
}
