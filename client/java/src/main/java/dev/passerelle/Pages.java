package dev.passerelle;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * All items of a list, fetched page by page as they are asked for. Can be iterated over any number of times; each begins at
 * the first page. Iterators throw PasserelleException. Thread-safe, its iterators are not.
 *
 * @param <T> an item
 */
public final class Pages<T> implements Iterable<T> {
  /** One page and where the next one begins. */
  private record Page<T>(List<T> items, String nextToken) {}

  private final Function<String, Page<T>> fetch;

  private Pages(Function<String, Page<T>> fetch) {
    this.fetch = fetch;
  }

  static <Q extends Message, A extends Message, T> Pages<T> of(
      Function<Q, A> call, Q request, Function<A, List<T>> items) {
    FieldDescriptor token = fieldOf(request.getDescriptorForType().findFieldByName("page_token"));
    return new Pages<>(at -> {
      A answer = call.apply(withToken(request, token, at));
      FieldDescriptor next = fieldOf(answer.getDescriptorForType().findFieldByName("next_page_token"));
      return new Page<>(items.apply(answer), (String) answer.getField(next));
    });
  }

  private static FieldDescriptor fieldOf(FieldDescriptor field) {
    if (field == null) {
      throw new IllegalArgumentException("the method does not answer page by page");
    }
    return field;
  }

  @SuppressWarnings("unchecked") // A message's builder builds the message.
  private static <Q extends Message> Q withToken(Q request, FieldDescriptor field, String token) {
    return token.isEmpty() ? request : (Q) request.toBuilder().setField(field, token).build();
  }

  /**
   * The items, in the server's order.
   *
   * @return another iterator each time
   */
  @Override
  public Iterator<T> iterator() {
    return new Items();
  }

  /**
   * The items as a stream.
   *
   * @return ordered and sequential
   */
  public Stream<T> stream() {
    return StreamSupport.stream(spliterator(), false);
  }

  private final class Items extends Lookahead<T> {
    private Iterator<T> page = Collections.emptyIterator();
    private String token = "";
    private boolean last;

    @Override
    T read() {
      while (!page.hasNext() && !last) {
        Page<T> fetched = fetch.apply(token);
        page = fetched.items().iterator();
        token = fetched.nextToken();
        last = token.isEmpty();
      }
      return page.hasNext() ? page.next() : null;
    }
  }
}
