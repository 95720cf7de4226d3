/** One channel of gRPC, and calls over it in the terms of protobuf's descriptors. */

import {
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
} from "@grpc/grpc-js";

import { PasserelleError, typed, UsageError } from "./errors.js";
import { serviceConfig } from "./gen/service_config.js";
import { cancelled } from "./patience.js";
import { credentialsOf, isLocal, keyFor, type Security } from "./security.js";

const MESSAGE_BYTES = 16 * 1024 * 1024;

function channelOptions(target: string, security: Security): ChannelOptions {
  return {
    "grpc.service_config": serviceConfig,
    "grpc.service_config_disable_resolution": 1,
    "grpc.enable_retries": 1,
    "grpc.max_receive_message_length": MESSAGE_BYTES,
    "grpc.use_local_subchannel_pool": 1,
    // A connection that went silent is given up after both; the server takes pings 10 s apart and more.
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 20_000,
    // A server that comes back is found within a second, not after the default's two minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    // Node's 64 KiB would make every message of an export wait for the network several times.
    "grpc-node.flow_control_window": 1024 * 1024,
    ...(isLocal(target) ? { "grpc.enable_http_proxy": 0 } : {}),
    ...(security.serverName
      ? { "grpc.ssl_target_name_override": security.serverName, "grpc.default_authority": security.serverName }
      : {}),
  };
}

/** How one call is made. */
export interface CallLimits {
  /** The call fails with DEADLINE_EXCEEDED after this many milliseconds; undefined: never. */
  timeoutMs?: number | undefined;
  /** Aborting it ends the call with CANCELLED. */
  signal?: AbortSignal | undefined;
}

/** A channel. It connects at the first call, and again by itself. Calls throw PasserelleError. */
export class Connection {
  readonly #client: Client;
  readonly #metadata = new Metadata();
  #closed = false;

  /** UsageError for what cannot be used, and for a key that would leave this machine in plaintext. */
  constructor(target: string, security: Security) {
    if (target.startsWith("unix-abstract:")) throw new UsageError(`${target}: gRPC for Node knows unix:PATH only`);
    const key = keyFor(target, security);
    if (key !== undefined) this.#metadata.set("authorization", `Bearer ${key}`);
    this.#client = new Client(target, credentialsOf(security), channelOptions(target, security));
  }

  /** Ends the connection. Calls under way go on to their end; new ones are a UsageError. */
  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  #requireOpen(): void {
    if (this.#closed) throw new UsageError("the client is closed");
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    limits: CallLimits = {},
  ): Promise<MessageShape<O>> {
    const { path, serialize, deserialize } = wireOf(method);
    return new Promise((resolve, reject) => {
      this.#requireOpen();
      if (limits.signal?.aborted) return reject(cancelled());
      const call = this.#client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        request,
        this.#metadata.clone(),
        optionsOf(limits),
        (error, response) => {
          limits.signal?.removeEventListener("abort", abort);
          if (error) reject(failureOf(error, limits.signal));
          else resolve(response as MessageShape<O>);
        },
      );
      const abort = (): void => call.cancel();
      limits.signal?.addEventListener("abort", abort, { once: true });
    });
  }

  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    limits: CallLimits = {},
  ): Responses<MessageShape<O>> {
    this.#requireOpen();
    const { path, serialize, deserialize } = wireOf(method);
    const metadata = this.#metadata.clone();
    const call = this.#client.makeServerStreamRequest(
      path,
      serialize,
      deserialize,
      request,
      metadata,
      optionsOf(limits),
    );
    return new Responses<MessageShape<O>>(call, limits.signal);
  }

  bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    limits: CallLimits = {},
  ): Exchange<MessageShape<I>, MessageShape<O>> {
    this.#requireOpen();
    const { path, serialize, deserialize } = wireOf(method);
    const call = this.#client.makeBidiStreamRequest(
      path,
      serialize,
      deserialize,
      this.#metadata.clone(),
      optionsOf(limits),
    );
    return new Exchange<MessageShape<I>, MessageShape<O>>(call, limits.signal);
  }
}

function wireOf<I extends DescMessage, O extends DescMessage>(method: DescMethod & { input: I; output: O }) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    serialize: (request: MessageShape<I> | Uint8Array): Buffer => {
      const bytes = request instanceof Uint8Array ? request : toBinary(method.input, request);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes: Buffer): MessageShape<O> => fromBinary(method.output, bytes),
  };
}

function optionsOf({ timeoutMs }: CallLimits): CallOptions {
  // Node's timers are 32 bits; a call with a longer time than these 24 days ends in another way.
  return timeoutMs !== undefined && timeoutMs < 2 ** 31 ? { deadline: Date.now() + timeoutMs } : {};
}

// What the caller aborted is told as that: the transport's own words are those of a server that went away.
function failureOf(error: unknown, signal: AbortSignal | undefined): unknown {
  const failure = typed(error);
  const aborted = signal?.aborted && failure instanceof PasserelleError && failure.code === "CANCELLED";
  return aborted ? cancelled(error) : failure;
}

/** The answers of one call, one by one. Not to be read by two at once. */
export class Responses<In> {
  readonly #call: ClientReadableStream<In>;
  readonly #signal: AbortSignal | undefined;
  readonly #messages: AsyncIterator<In>;
  readonly #abort = (): void => this.#call.cancel();
  #ended = false;

  constructor(call: ClientReadableStream<In>, signal: AbortSignal | undefined) {
    this.#call = call;
    this.#signal = signal;
    // The reader below is told of errors too; without a listener, one after the last read would end the program.
    call.on("error", () => undefined);
    call.once("status", () => {
      this.#ended = true;
      signal?.removeEventListener("abort", this.#abort);
    });
    this.#messages = call[Symbol.asyncIterator]() as AsyncIterator<In>;
    if (signal?.aborted) call.cancel();
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** The call is over, though answers may be left to read: what is sent now goes nowhere. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next answer; undefined after the last one. Throws the PasserelleError that ended the call. */
  async receive(): Promise<In | undefined> {
    try {
      const step = await this.#messages.next();
      return step.done ? undefined : step.value;
    } catch (error) {
      throw failureOf(error, this.#signal);
    }
  }

  /** Ends the call, whatever its state. */
  close(): void {
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#call.cancel();
  }

  /** All answers; leaving the loop ends the call. */
  async *[Symbol.asyncIterator](): AsyncGenerator<In, void, undefined> {
    try {
      for (let message = await this.receive(); message !== undefined; message = await this.receive()) yield message;
    } finally {
      this.close();
    }
  }
}

/** One call with messages both ways. */
export class Exchange<Out, In> extends Responses<In> {
  readonly #out: ClientDuplexStream<Out | Uint8Array, In>;

  constructor(call: ClientDuplexStream<Out | Uint8Array, In>, signal: AbortSignal | undefined) {
    super(call, signal);
    this.#out = call;
  }

  /**
   * Sends a message, which may be encoded already, or keeps it until the connection takes it. True if the next one can
   * be sent at once.
   */
  send(message: Out | Uint8Array): boolean {
    return this.#out.write(message);
  }

  /** Waits until the connection has taken what was sent, or the call is over. */
  async drained(): Promise<void> {
    if (!this.#out.writableNeedDrain || this.ended) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#out.off("drain", done).off("status", done);
        resolve();
      };
      this.#out.on("drain", done).on("status", done);
    });
  }

  /** Tells the server that nothing more comes. */
  finish(): void {
    this.#out.end();
  }
}
