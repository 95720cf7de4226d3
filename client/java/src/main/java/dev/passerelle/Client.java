package dev.passerelle;

import com.google.protobuf.Message;
import com.google.protobuf.MessageLite;
import dev.passerelle.v1.AcknowledgeRequest;
import dev.passerelle.v1.Attribute;
import dev.passerelle.v1.AttributeType;
import dev.passerelle.v1.Consent;
import dev.passerelle.v1.Consumer;
import dev.passerelle.v1.ExportLogsRequest;
import dev.passerelle.v1.GetConsumerRequest;
import dev.passerelle.v1.Reach;
import dev.passerelle.v1.StreamMembersRequest;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A connection to a server and the loops over its streams. Thread-safe; one per program and server is enough. Calls throw
 * {@link PasserelleException}.
 */
public final class Client implements AutoCloseable {
  /** The client's version. */
  public static final String VERSION = "0.1.0";

  /** How long a unary call may take if nothing else is said. */
  public static final Duration CALL_TIMEOUT = Duration.ofSeconds(30);

  private final ManagedChannel connection;
  private final Channel channel;
  private final String instance;
  private final Stubs stubs;
  private final Schema schema;
  private final ScheduledThreadPoolExecutor timer;

  Client(String target, String instance, Security security) {
    Optional<String> key = security.readKey();
    this.connection = ChannelMaker.open(target, security);
    this.instance = "instances/" + instance;
    Channel limited = ClientInterceptors.intercept(
        connection,
        Interceptors.withDeadline(CALL_TIMEOUT), Interceptors.requiringOpen(connection), CallsMade.interceptor());
    this.channel = key.map(Interceptors::sendingKey)
        .map(sender -> ClientInterceptors.intercept(limited, sender)).orElse(limited);
    this.stubs = Stubs.of(channel);
    this.schema = new Schema(this);
    this.timer = newTimer();
    new Reconnects(connection, timer).watch();
  }

  private static ScheduledThreadPoolExecutor newTimer() {
    ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
      Thread thread = new Thread(task, "passerelle-timer");
      thread.setDaemon(true);
      return thread;
    });
    timer.setRemoveOnCancelPolicy(true);
    return timer;
  }

  /**
   * A client of the server that the environment names, see {@link ClientBuilder}.
   *
   * @return close it
   */
  public static Client connect() {
    return builder().connect();
  }

  /**
   * A client of the server at an address, in the instance default. Nothing is read from the environment.
   *
   * @param target for example 127.0.0.1:7701 or unix:/run/passerelle.sock
   * @return close it
   */
  public static Client connect(String target) {
    return builder().target(target).connect();
  }

  /**
   * All that can be said about a connection.
   *
   * @return nothing set
   */
  public static ClientBuilder builder() {
    return new ClientBuilder();
  }

  /** Ends the connection: calls that are under way fail with UNAVAILABLE, later ones are an IllegalStateException. */
  @Override
  public void close() {
    connection.shutdownNow();
    timer.shutdownNow();
  }

  /**
   * One stub for each service.
   *
   * @return they send the key, and their unary calls have a deadline
   */
  public Stubs stubs() {
    return stubs;
  }

  /**
   * What stubs of your own, asynchronous ones for example, are made with.
   *
   * @return sends the key; unary calls have a deadline
   */
  public Channel channel() {
    return channel;
  }

  /**
   * The instance's resource name.
   *
   * @return for example instances/default
   */
  public String instance() {
    return instance;
  }

  /**
   * A resource name in this client's instance: {@code name("audiences", "vip")}.
   *
   * @param parts what comes after the instance
   * @return joined by slashes
   */
  public String name(String... parts) {
    return instance + "/" + String.join("/", parts);
  }

  /**
   * One unary call, within {@link #CALL_TIMEOUT}: {@code client.call(() -> client.stubs().audiences().getAudience(request))}.
   *
   * @param call made again if the server was too busy to begin it, when the server says
   * @param <A> the answer
   * @return the answer
   */
  public <A> A call(Supplier<A> call) {
    return call(CALL_TIMEOUT, call);
  }

  /**
   * One unary call.
   *
   * @param timeout of all its tries together
   * @param call made again if the server was too busy to begin it, when the server says
   * @param <A> the answer
   * @return the answer
   */
  public <A> A call(Duration timeout, Supplier<A> call) {
    Deadline deadline = Deadline.after(timeout.toNanos(), TimeUnit.NANOSECONDS);
    Patience patience = new Patience(timeout);
    for (int tries = 1; ; tries++) {
      CallsMade made = new CallsMade();
      try {
        return callOnce(deadline, made, call);
      } catch (StatusRuntimeException error) {
        PasserelleException failure = new PasserelleException(error);
        boolean cutOff = failure.brokeUnderWrite() && made.mayBeRepeated() && tries < ServiceConfig.MAX_ATTEMPTS;
        patience.await(failure, cutOff || failure.reason().equals("OVERLOADED"), deadline);
      }
    }
  }

  private <A> A callOnce(Deadline deadline, CallsMade made, Supplier<A> call) {
    try (Context.CancellableContext context = limitedTo(deadline, made)) {
      Context before = context.attach();
      try {
        return call.get();
      } finally {
        context.detach(before);
      }
    }
  }

  private Context.CancellableContext limitedTo(Deadline deadline, CallsMade made) {
    try {
      return made.in(Context.current()).withDeadline(deadline, timer);
    } catch (RejectedExecutionException closed) {
      throw new IllegalStateException("the client is closed", closed);
    }
  }

  /**
   * All items of a list: {@code pages(stubs.audiences()::listAudiences, request, ListAudiencesResponse::getAudiencesList)}.
   *
   * @param method of a stub
   * @param request of the first page
   * @param items of one answer
   * @param <Q> the request
   * @param <A> the answer
   * @param <T> an item
   * @return fetched page by page
   */
  public <Q extends Message, A extends Message, T> Pages<T> pages(
      Function<Q, A> method, Q request, Function<A, List<T>> items) {
    return Pages.of(page -> call(() -> method.apply(page)), request, items);
  }

  /**
   * Creates or updates profiles. Returns when all rows are durable and accounted for; a named stream waits and reconnects
   * while the server is away or busy. IllegalArgumentException names a row that does not fit what was opened: what came
   * before it may be durable.
   *
   * @param rows read once; those that a named stream already has are skipped
   * @param options identities are required; fields are attributes
   * @return what became of it
   */
  public IngestResult importProfiles(Iterable<Row> rows, IngestOptions options) {
    return importProfiles(Rows.of(rows), options);
  }

  /**
   * As the other, of a source that can begin anywhere.
   *
   * @param rows by offset
   * @param options identities are required; fields are attributes
   * @return what became of it
   */
  public IngestResult importProfiles(RowSource<Row> rows, IngestOptions options) {
    return importProfiles(Rows.of(rows), options);
  }

  private IngestResult importProfiles(Rows<Row> rows, IngestOptions options) {
    options.requireNoPush();
    return ingest(
        () -> IngestKinds.imports(instance, options, schema.typesOf(options.fields, options.retryFor)), options, rows);
  }

  /**
   * Updates profiles that exist, through a PROFILE_SYNC destination; otherwise as importProfiles.
   *
   * @param destination its id
   * @param rows read once; those that a named stream already has are skipped
   * @param options identities and fields are required; fields are source fields of the destination
   * @return what became of it
   */
  public IngestResult syncProfiles(String destination, Iterable<Row> rows, IngestOptions options) {
    return syncProfiles(destination, Rows.of(rows), options);
  }

  /**
   * As the other, of a source that can begin anywhere.
   *
   * @param destination its id
   * @param rows by offset
   * @param options identities and fields are required; fields are source fields of the destination
   * @return what became of it
   */
  public IngestResult syncProfiles(String destination, RowSource<Row> rows, IngestOptions options) {
    return syncProfiles(destination, Rows.of(rows), options);
  }

  private IngestResult syncProfiles(String destination, Rows<Row> rows, IngestOptions options) {
    options.requireNoPush();
    String name = name("destinations", destination);
    return ingest(() -> IngestKinds.syncs(name, options, schema.mappedTypes(destination, options)), options, rows);
  }

  /**
   * Pushes memberships through an AUDIENCE_SYNC destination; with {@link IngestOptions#replace} the rows are the whole of
   * its one audience, published at the end. Otherwise as importProfiles.
   *
   * @param destination its id
   * @param rows read once; those that a named stream already has are skipped
   * @param options identities and audiences are required; fields are source fields of the destination
   * @return what became of it
   */
  public IngestResult pushMembers(String destination, Iterable<Row> rows, IngestOptions options) {
    return pushMembers(destination, Rows.of(rows), options);
  }

  /**
   * As the other, of a source that can begin anywhere.
   *
   * @param destination its id
   * @param rows by offset
   * @param options identities and audiences are required; fields are source fields of the destination
   * @return what became of it
   */
  public IngestResult pushMembers(String destination, RowSource<Row> rows, IngestOptions options) {
    return pushMembers(destination, Rows.of(rows), options);
  }

  private IngestResult pushMembers(String destination, Rows<Row> rows, IngestOptions options) {
    options.requireReplaceIfParts();
    String name = name("destinations", destination);
    return ingest(() -> IngestKinds.pushes(name, options, schema.mappedTypes(destination, options)), options, rows);
  }

  /**
   * Appends log rows; otherwise as importProfiles.
   *
   * @param rows LogEntry messages, or RawLogEntry where texts may not be UTF-8
   * @param options neither identities nor fields
   * @return what became of it
   */
  public IngestResult appendLogs(Iterable<? extends Message> rows, IngestOptions options) {
    return appendLogs(Rows.of(rows), options);
  }

  /**
   * As the other, of a source that can begin anywhere.
   *
   * @param rows LogEntry or RawLogEntry messages by offset
   * @param options neither identities nor fields
   * @return what became of it
   */
  public IngestResult appendLogs(RowSource<? extends Message> rows, IngestOptions options) {
    return appendLogs(Rows.of(rows), options);
  }

  private IngestResult appendLogs(Rows<Message> rows, IngestOptions options) {
    options.requireLog();
    return ingest(() -> IngestKinds.appends(instance, options), options, rows);
  }

  private <T, Q extends MessageLite, A> IngestResult ingest(
      Supplier<IngestKind<T, Q, A>> kinds, IngestOptions options, Rows<T> rows) {
    return new Ingest<>(channel, kinds, options, rows).run();
  }

  /**
   * Log rows from a cursor or a consumer's position on, in batches; reconnects by itself.
   *
   * @param options which rows
   * @return close it
   */
  public LogExport exportLogs(ExportOptions options) {
    ExportLogsRequest.Builder request = ExportLogsRequest.newBuilder()
        .setName(options.source.isEmpty() ? instance : name("sources", options.source))
        .setConsumer(options.consumer)
        .setCursor(options.cursor)
        .setFollow(options.follow)
        .addAllFields(options.fields)
        .setMaxBatchRows(options.maxBatchRows);
    if (options.filter != null) {
      request.setFilter(options.filter);
    }
    String source = options.source;
    String consumer = options.consumer;
    Duration retryFor = options.retryFor;
    Acknowledgements acknowledgements = new Acknowledgements(
        consumer.isEmpty() ? null : cursor -> Patience.patiently(retryFor, () -> acknowledge(source, consumer, cursor)),
        () -> Patience.patiently(retryFor, () -> getConsumer(source, consumer)).getLag() > 0);
    return new LogExport(stubs.logs(), request.build(), acknowledgements, retryFor);
  }

  private Consumer getConsumer(String source, String consumer) {
    String name = name("sources", source, "consumers", consumer);
    return call(() -> stubs.sources().getConsumer(GetConsumerRequest.newBuilder().setName(name).build()));
  }

  /**
   * Stores a consumer's position, durably.
   *
   * @param source its id
   * @param consumer its id
   * @param cursor of a batch of the source
   * @return the consumer after that
   */
  public Consumer acknowledge(String source, String consumer, String cursor) {
    String name = name("sources", source, "consumers", consumer);
    AcknowledgeRequest request = AcknowledgeRequest.newBuilder().setName(name).setCursor(cursor).build();
    return call(() -> stubs.sources().acknowledge(request));
  }

  /**
   * Members that can be reached on a channel, with their external_id.
   *
   * @param audience its id
   * @param channel for example email
   * @return close it
   */
  public MemberStream streamMembers(String audience, String channel) {
    return streamMembers(audience, channel, new MemberOptions());
  }

  /**
   * Members that can be reached on a channel: all, or what changed since an earlier stream.
   *
   * @param audience its id
   * @param channel for example email
   * @param options what is told of them
   * @return close it
   */
  public MemberStream streamMembers(String audience, String channel, MemberOptions options) {
    StreamMembersRequest request = StreamMembersRequest.newBuilder()
        .setAudience(name("audiences", audience))
        .setReach(Reach.newBuilder().setChannel(channel).setPurpose(options.purpose))
        .addAllAttributes(options.attributes)
        .addAllIdentityNamespaces(options.identities)
        .addAllMandatoryAttributes(options.mandatory)
        .setSinceToken(options.since)
        .build();
    Map<String, AttributeType> types = schema.typesOf(options.attributes, options.retryFor);
    return new MemberStream(stubs.activation(), request, types, options.retryFor);
  }

  /**
   * Creates an attribute; one that is there already is left as it is.
   *
   * @param attribute its id
   * @param type never changes
   * @return as it is there
   */
  public Attribute createAttribute(String attribute, AttributeType type) {
    return createAttribute(attribute, Attribute.newBuilder().setType(type).build());
  }

  /**
   * Creates a consent attribute, of type BOOL; one that is there already is left as it is.
   *
   * @param attribute its id
   * @param consent what it consents to
   * @return as it is there
   */
  public Attribute createAttribute(String attribute, Consent consent) {
    return createAttribute(
        attribute, Attribute.newBuilder().setType(AttributeType.ATTRIBUTE_TYPE_BOOL).setConsent(consent).build());
  }

  /**
   * Creates an attribute; one that is there already is left as it is.
   *
   * @param id its id
   * @param attribute all about it
   * @return as it is there
   */
  public Attribute createAttribute(String id, Attribute attribute) {
    return schema.createAttribute(id, attribute);
  }

  /**
   * The type of every attribute.
   *
   * @return by id
   */
  public Map<String, AttributeType> attributeTypes() {
    return schema.attributeTypes();
  }
}
