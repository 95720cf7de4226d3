/** Stubs: the methods of a service as functions. */

import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import type { CallLimits, Connection, Exchange } from "./connection.js";

/** How a call is made. */
export interface CallOptions {
  /**
   * DEADLINE_EXCEEDED after this many milliseconds; Infinity: never. Unary calls have 30 s if they do not say,
   * streams as long as they take.
   */
  timeoutMs?: number;
  /** Aborting it ends the call with CANCELLED. */
  signal?: AbortSignal | undefined;
}

type Request<I extends DescMessage> = MessageInitShape<I>;
type Init = MessageInitShape<DescMessage>;

/** A method as a function of its request, which may be a plain object. Streams are asynchronous iterables. */
export type StubMethod<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: Request<I>, options?: CallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: Request<I>, options?: CallOptions) => AsyncGenerator<MessageShape<O>, void, undefined>
      : M extends DescMethodBiDiStreaming<infer I, infer O>
        ? (
            requests: Iterable<Request<I>> | AsyncIterable<Request<I>>,
            options?: CallOptions,
          ) => AsyncGenerator<MessageShape<O>, void, undefined>
        : never;

/** The methods of a service. */
export type Stub<S extends DescService> = { readonly [K in keyof S["method"]]: StubMethod<S["method"][K]> };

/** Makes a unary call: with a default deadline, and again where that is safe. */
export type UnaryCaller = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options?: CallOptions,
) => Promise<MessageShape<O>>;

/** The stub of a service over a connection. */
export function makeStub<S extends DescService>(service: S, connection: Connection, unary: UnaryCaller): Stub<S> {
  const methods = service.methods.map((method) => [
    method.localName,
    makeMethod(method as AnyMethod, connection, unary),
  ]);
  return Object.fromEntries(methods) as Stub<S>;
}

// The contract has no streams of requests with one answer.
type AnyMethod = DescMethodUnary | DescMethodServerStreaming | DescMethodBiDiStreaming;

function makeMethod(method: AnyMethod, connection: Connection, unary: UnaryCaller): unknown {
  switch (method.methodKind) {
    case "unary":
      return unary.bind(undefined, method);
    case "server_streaming":
      return listen.bind(undefined, method, connection);
    case "bidi_streaming":
      return converse.bind(undefined, method, connection);
  }
}

function limitsOf(options: CallOptions = {}): CallLimits {
  return { timeoutMs: options.timeoutMs, signal: options.signal };
}

// The call begins with the first answer asked for: one that nobody asks for would never end.
async function* listen(
  method: DescMethodServerStreaming,
  connection: Connection,
  request: Init,
  options?: CallOptions,
): AsyncGenerator<Message, void, undefined> {
  yield* connection.serverStream(method, create(method.input, request), limitsOf(options));
}

async function* converse(
  method: DescMethodBiDiStreaming,
  connection: Connection,
  requests: Iterable<Init> | AsyncIterable<Init>,
  options?: CallOptions,
): AsyncGenerator<Message, void, undefined> {
  const exchange = connection.bidi(method, limitsOf(options));
  let failure: unknown;
  const sending = sendAll(exchange, method.input, requests).catch((error: unknown) => {
    failure = error;
    exchange.close();
  });
  try {
    yield* exchange;
    await sending;
  } catch (error) {
    throw failure ?? error;
  }
}

async function sendAll(
  exchange: Exchange<Message, Message>,
  schema: DescMessage,
  requests: Iterable<Init> | AsyncIterable<Init>,
): Promise<void> {
  for await (const request of requests) {
    if (exchange.ended) return;
    if (!exchange.send(create(schema, request))) await exchange.drained();
  }
  exchange.finish();
}
