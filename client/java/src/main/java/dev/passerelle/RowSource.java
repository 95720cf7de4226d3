package dev.passerelle;

import java.util.Iterator;

/**
 * Rows by their place, for sources that can begin anywhere: a file with an index, a query with an offset. The same place
 * holds the same row each time.
 *
 * @param <T> what a row is
 */
@FunctionalInterface
public interface RowSource<T> {
  /**
   * The rows from a place on.
   *
   * @param offset how many rows come before; 0 is the first
   * @return read once, on the thread of the ingest
   */
  Iterator<T> from(long offset);
}
