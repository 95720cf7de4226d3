package dev.passerelle;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RowsTest {
  private static final List<Integer> TEN = IntStream.range(0, 10).boxed().toList();

  @Test
  void itBeginsWhereTheStreamIsWhateverTheSource() {
    RowSource<Integer> anywhere = offset -> TEN.listIterator((int) offset);
    Iterable<Integer> again = () -> TEN.iterator();
    for (Rows<Integer> rows : List.of(Rows.<Integer>of(TEN), Rows.of(again), Rows.of(anywhere))) {
      rows.seek(7);
      assertEquals(List.of(7, 8), rows.take(2));
      assertEquals(List.of(9), rows.take(2));
      assertEquals(List.of(), rows.take(2));
      assertEquals(10, rows.end());
    }
  }

  @Test
  void whatIsNotAcknowledgedIsGivenAgainAndTheSourceIsReadOnce() {
    Stream<Integer> once = TEN.stream();
    Rows<Integer> rows = Rows.of(once::iterator);
    rows.seek(0);
    assertEquals(List.of(0, 1, 2), rows.take(3));
    assertEquals(List.of(3, 4, 5), rows.take(3));
    rows.forget(2);
    rows.seek(4);
    assertEquals(List.of(4, 5, 6, 7, 8), rows.take(5));
    rows.giveBack(6);
    assertEquals(List.of(6), rows.take(1));
    assertEquals(7, rows.next());
  }

  @Test
  void aShorterSourceThanTheStreamEndsWhereItEnds() {
    Iterable<Integer> again = () -> TEN.iterator();
    for (Rows<Integer> rows : List.of(Rows.<Integer>of(TEN), Rows.of(again))) {
      rows.seek(12);
      assertEquals(List.of(), rows.take(5));
      assertEquals(10, rows.end());
    }
  }

  @Test
  void aServerThatKnowsLessThanBeforeIsSentTheRowsAnew() {
    Rows<Integer> rows = Rows.of(TEN);
    rows.seek(6);
    rows.take(2);
    rows.forget(8);
    rows.seek(3);
    assertEquals(List.of(3, 4), rows.take(2));
  }

  @Test
  void aSourceThatIsReadOnceIsNotSentAnewFromItsMiddle() {
    Iterator<Integer> rest = TEN.iterator();
    Rows<Integer> rows = Rows.of((Iterable<Integer>) () -> rest);
    rows.seek(0);
    rows.take(8);
    rows.forget(8);
    assertThrows(IllegalStateException.class, () -> rows.seek(3));
  }
}
