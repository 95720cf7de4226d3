package dev.passerelle;

import dev.passerelle.v1.ActivationServiceGrpc.ActivationServiceBlockingStub;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Column;
import dev.passerelle.v1.StreamMembersRequest;
import dev.passerelle.v1.StreamMembersResponse;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Members of an audience that can be reached, in full or what changed; reconnects by itself. Iterate over it once, on one
 * thread, then ask for the trailer and close it. Closing it on another thread ends a wait with a PasserelleException of code
 * CANCELLED.
 */
public final class MemberStream implements Iterable<Member>, AutoCloseable {
  private final Messages messages;
  private final List<String> namespaces;
  private final Map<String, AttributeType> types;
  private StreamMembersResponse.Header header;
  private boolean begun;

  MemberStream(
      ActivationServiceBlockingStub stub,
      StreamMembersRequest request,
      Map<String, AttributeType> types,
      Duration retryFor) {
    this.messages = new Messages(stub, request, retryFor);
    List<String> asked = request.getIdentityNamespacesList();
    this.namespaces = asked.isEmpty() ? List.of("external_id") : asked;
    this.types = types;
  }

  /**
   * The members. IllegalStateException the second time.
   *
   * @return throws PasserelleException
   */
  @Override
  public Iterator<Member> iterator() {
    if (begun) {
      throw new IllegalStateException("members are iterated over once: begin another stream");
    }
    begun = true;
    return new Members();
  }

  /**
   * The members as a stream, which closes this one when it is closed.
   *
   * @return ordered and sequential
   */
  public Stream<Member> stream() {
    Spliterator<Member> members = Spliterators.spliteratorUnknownSize(iterator(), Spliterator.ORDERED);
    return StreamSupport.stream(members, false).onClose(this::close);
  }

  /**
   * Which moment it is of.
   *
   * @return empty before the first member is asked for
   */
  public Optional<StreamMembersResponse.Header> header() {
    return Optional.ofNullable(header);
  }

  /**
   * How many were streamed and left out, and where an incremental begins.
   *
   * @return empty before the last member was given
   */
  public Optional<StreamMembersResponse.Trailer> trailer() {
    return Optional.ofNullable(messages.trailer);
  }

  /**
   * Where an incremental begins. IllegalStateException before the last member was given.
   *
   * @return for {@link MemberOptions#since}
   */
  public String endToken() {
    return trailer().orElseThrow(() -> new IllegalStateException("the stream has not ended yet")).getEndToken();
  }

  /**
   * Members that were left out.
   *
   * @return by reason, for example {OPTED_OUT=3}; empty before the last member was given
   */
  public Map<String, Long> excluded() {
    Map<String, Long> counts = new TreeMap<>();
    trailer().ifPresent(ended -> ended.getExcludedList().forEach(count -> counts.put(
        Names.of(count.getReason(), count.getReasonValue(), "EXCLUSION_REASON_"), count.getMembers())));
    return counts;
  }

  /** Ends the stream. Thread-safe. */
  @Override
  public void close() {
    messages.close();
  }

  private final class Members extends Lookahead<Member> {
    private final Deque<Member> arrived = new ArrayDeque<>();

    @Override
    Member read() {
      while (arrived.isEmpty()) {
        StreamMembersResponse message = messages.receive();
        if (message == null) {
          return null;
        }
        if (message.hasHeader()) {
          header = message.getHeader();
        } else if (message.hasBatch()) {
          addAll(message.getBatch());
        }
        messages.received(message);
      }
      return arrived.poll();
    }

    private void addAll(StreamMembersResponse.Batch batch) {
      requireColumns(batch);
      List<List<Object>> identities = new ArrayList<>();
      for (Column column : batch.getIdentitiesList()) {
        identities.add(Columns.decode(column, batch.getRecords(), AttributeType.ATTRIBUTE_TYPE_STRING));
      }
      List<List<Object>> attributes = new ArrayList<>();
      Iterator<AttributeType> type = types.values().iterator();
      for (Column column : batch.getColumnsList()) {
        attributes.add(Columns.decode(column, batch.getRecords(), type.next()));
      }
      for (int i = 0; i < batch.getRecords(); i++) {
        arrived.add(memberOf(batch, i, identities, attributes));
      }
    }

    private void requireColumns(StreamMembersResponse.Batch batch) {
      if (batch.getIdentitiesCount() != namespaces.size() || batch.getColumnsCount() != types.size()) {
        throw new IllegalStateException("the server sent other columns than were asked for");
      }
    }

    private Member memberOf(
        StreamMembersResponse.Batch batch, int i, List<List<Object>> identities, List<List<Object>> attributes) {
      Map<String, String> who = new LinkedHashMap<>();
      collect(namespaces, identities, i).forEach((namespace, value) -> who.put(namespace, (String) value));
      return new Member(
          batch.getProfiles(i),
          who,
          collect(types.keySet(), attributes, i),
          Times.fromMicros(batch.getQualificationTimesUs(i)),
          changeOf(batch, i));
    }

    private static Map<String, Object> collect(Iterable<String> names, List<List<Object>> columns, int i) {
      Map<String, Object> found = new LinkedHashMap<>();
      Iterator<String> name = names.iterator();
      for (List<Object> column : columns) {
        String key = name.next();
        if (column.get(i) != null) {
          found.put(key, column.get(i));
        }
      }
      return found;
    }

    private static String changeOf(StreamMembersResponse.Batch batch, int i) {
      if (batch.getChangesCount() == 0 || batch.getChangesValue(i) == 0) {
        return "MEMBER";
      }
      return Names.of(batch.getChanges(i), batch.getChangesValue(i), "CHANGE_");
    }
  }

  private static final class Messages extends ResumedStream<StreamMembersResponse> {
    private final ActivationServiceBlockingStub stub;
    private StreamMembersRequest request;
    private StreamMembersResponse.Trailer trailer;

    Messages(ActivationServiceBlockingStub stub, StreamMembersRequest request, Duration retryFor) {
      super(retryFor);
      this.stub = stub;
      this.request = request;
    }

    @Override
    Iterator<StreamMembersResponse> open() {
      return stub.streamMembers(request);
    }

    @Override
    boolean mayEndHere() {
      return isWhole();
    }

    @Override
    boolean isWhole() {
      return trailer != null;
    }

    void received(StreamMembersResponse message) {
      if (message.hasTrailer()) {
        trailer = message.getTrailer();
      }
      request = request.toBuilder().setResumeToken(message.getResumeToken()).build();
      // Each try begins with a header: by itself it gets nothing on.
      if (!message.hasHeader()) {
        progressed();
      }
    }
  }
}
