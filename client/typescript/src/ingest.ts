/** The loop nobody should write alone: a durable ingest that goes on wherever it was broken off. */

import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type Message,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";

import type { Connection, Exchange } from "./connection.js";
import { endedEarly, mappingChanged, PasserelleError, UsageError } from "./errors.js";
import type { IngestAck, IngestFinished, StreamOpened } from "./gen/passerelle/v1/ingest_pb.js";
import { Outcome, type OutcomeCount, type RowOutcome } from "./gen/passerelle/v1/outcome_pb.js";
import { Patience, RETRY_FOR_MS } from "./patience.js";
import type { Encoder } from "./rows.js";
import { Rows, type Source } from "./source.js";

const BATCH_RECORDS = 2_000;
const WINDOW_BATCHES = 4;
// Of about this size a batch is cut, so that no message is over the server's limit.
const BATCH_BYTES = 1024 * 1024;

/** What became of a row: CREATED, UPDATED, REJECTED... The number of one that this client does not know yet. */
export type OutcomeName = keyof typeof Outcome | `${number}`;

/** Rows by outcome. */
export type Counts = Partial<Record<OutcomeName, number>>;

/** What became of one call. The sum of `counts` is `received`. */
export interface IngestResult {
  /** Records of the stream's life. */
  totalRecords: number;
  /** Records of this call that were new. */
  received: number;
  /** Records of this call that the stream had already. */
  alreadyKnown: number;
  /** How often the call was made again. */
  reconnects: number;
  /** Outcomes of the new records. */
  counts: Counts;
  /** Outcomes over the stream's life. */
  totals: Counts;
  /** Each new record that did not simply apply. */
  rows: RowOutcome[];
  /** Hand this to a read to see all of it. */
  commitToken: string;
}

/** How an ingest runs. */
export interface RunOptions {
  /** Records of a batch; 2,000 unless told otherwise, and never more than the server takes. */
  batchRecords?: number;
  /**
   * How long a named stream goes on without progress, while the server is away or busy or the mapping of its
   * destination changes: 60,000.
   */
  retryForMs?: number;
  /** Told how many records are durable, after each acknowledgement. */
  onProgress?: (offset: number) => void;
  /** Takes the rows that did not simply apply, in the place of the result. */
  onRow?: (row: RowOutcome) => void;
  /** Aborting it ends the ingest with CANCELLED; what was acknowledged stays. */
  signal?: AbortSignal;
}

/** The answers of all four ingests. */
interface Answers {
  opened: StreamOpened;
  ack: IngestAck;
  finished: IngestFinished;
}
type Sent = { case: "open" | "batch" | "finish"; value: object };
type Response = { message: { case: keyof Answers | undefined; value?: unknown } };

/** What is special of one kind of ingest. */
export interface Kind<R> {
  readonly method: DescMethodBiDiStreaming;
  /** The Open message, or its fields. */
  readonly open: { stream: { stream: string } };
  /** Reads which types the fields are of: first, and anew when a mapping was changed. */
  readonly encoder: () => Promise<Encoder<R>>;
}

/**
 * Sends all rows and returns when they are durable and accounted for.
 *
 * A named stream reconnects by itself while the server is away or busy, and when the mapping of its destination was
 * changed; one without a name is not repeated.
 */
export async function ingest<R>(
  connection: Connection,
  kind: Kind<R>,
  source: Source<R>,
  options: RunOptions,
): Promise<IngestResult> {
  const run = new Run(connection, kind, new Rows(source), options);
  try {
    return await run.untilDone();
  } finally {
    await run.rows.close();
  }
}

class Run<R> {
  readonly rows: Rows<R>;
  readonly #connection: Connection;
  readonly #kind: Kind<R>;
  readonly #options: RunOptions;
  readonly #patience: Patience;
  #encode!: Encoder<R>;
  #durable = 0;
  readonly #result: IngestResult = {
    totalRecords: 0,
    received: 0,
    alreadyKnown: 0,
    reconnects: 0,
    counts: {},
    totals: {},
    rows: [],
    commitToken: "",
  };

  constructor(connection: Connection, kind: Kind<R>, rows: Rows<R>, options: RunOptions) {
    this.#connection = connection;
    this.#kind = kind;
    this.rows = rows;
    this.#options = options;
    this.#patience = new Patience(options.retryForMs ?? RETRY_FOR_MS);
  }

  async untilDone(): Promise<IngestResult> {
    const repeatable = this.#kind.open.stream.stream !== "";
    this.#encode = await this.#kind.encoder();
    for (;;) {
      try {
        return await this.#once();
      } catch (error) {
        // What rows and listeners of the caller throw is the caller's: their rows do not begin anew.
        if (!(error instanceof Broken)) throw error;
        await this.#patience.wait(error.failure, { repeatable, signal: this.#options.signal });
        if (mappingChanged(error.failure)) this.#encode = await this.#kind.encoder();
      }
      this.#result.reconnects += 1;
    }
  }

  async #once(): Promise<IngestResult> {
    const call = new Call(
      this.#connection.bidi(this.#kind.method, { signal: this.#options.signal }),
      this.#kind.method,
    );
    try {
      call.send({ case: "open", value: this.#kind.open });
      const opened = await call.receive("opened");
      this.#progress(Number(opened.nextOffset));
      await this.rows.seek(this.#durable);
      const wanted = this.#options.batchRecords ?? BATCH_RECORDS;
      await this.#sendBatches(call, Math.min(wanted, opened.maxBatchRecords || wanted));
      call.send({ case: "finish", value: { totalRecords: BigInt(this.rows.end) } });
      return this.#finished(await call.receive("finished"));
    } finally {
      call.close();
    }
  }

  async #sendBatches(call: Call, wanted: number): Promise<void> {
    const inFlight: number[] = []; // end offsets of batches not acknowledged
    for (let limit = wanted; ; ) {
      const { first, rows } = await this.rows.take(limit);
      if (rows.length > 0) {
        const sent = this.#sendSome(call, first, rows);
        // Rows as wide as these are not encoded twice again.
        if (sent < rows.length) limit = sent;
        inFlight.push(first + sent);
      }
      while (inFlight.length > 0 && (rows.length === 0 || inFlight.length >= WINDOW_BATCHES)) {
        const ack = await call.receive("ack");
        this.#progress(Number(ack.nextOffset));
        while (inFlight[0] !== undefined && inFlight[0] <= this.#durable) inFlight.shift();
        this.rows.forget(this.#durable);
        this.#add(ack);
        this.#options.onProgress?.(this.#durable);
      }
      if (rows.length === 0) return;
    }
  }

  /** How many of the rows were sent: fewer than all if their message would be too large. The others are given back. */
  #sendSome(call: Call, first: number, rows: readonly R[]): number {
    let count = rows.length;
    let bytes = this.#encoded(call, first, rows);
    while (bytes.length > BATCH_BYTES && count > 1) {
      count = Math.max(1, Math.floor((count * BATCH_BYTES * 0.75) / bytes.length));
      bytes = this.#encoded(call, first, rows.slice(0, count));
    }
    this.rows.giveBack(first + count);
    call.sendEncoded(bytes);
    return count;
  }

  #encoded(call: Call, first: number, rows: readonly R[]): Uint8Array {
    try {
      return call.encode({ case: "batch", value: this.#encode(first, rows) });
    } catch (error) {
      if (error instanceof UsageError) throw error;
      if (rows.length === 1) throw new UsageError(`record ${first}: ${(error as Error).message}`, { cause: error });
      // The library's error names a field, not the record: one by one, the record is found.
      rows.forEach((row, index) => this.#encoded(call, first + index, [row]));
      throw error;
    }
  }

  #progress(durable: number): void {
    if (durable > this.#durable) this.#patience.progressed();
    this.#durable = durable;
  }

  #add(ack: IngestAck): void {
    const result = this.#result;
    result.received += Number(ack.received);
    result.alreadyKnown += Number(ack.alreadyKnown);
    result.commitToken = ack.commitToken || result.commitToken;
    addCounts(result.counts, ack.counts);
    for (const row of ack.rows) {
      if (this.#options.onRow) this.#options.onRow(row);
      else result.rows.push(row);
    }
  }

  #finished(finished: IngestFinished): IngestResult {
    this.#result.totalRecords = Number(finished.totalRecords);
    this.#result.commitToken = finished.commitToken || this.#result.commitToken;
    this.#result.totals = addCounts({}, finished.totals);
    return this.#result;
  }
}

function addCounts(counts: Counts, more: readonly OutcomeCount[]): Counts {
  for (const { outcome, rows } of more) {
    const name = (Outcome[outcome] ?? String(outcome)) as OutcomeName;
    if (rows > 0n) counts[name] = (counts[name] ?? 0) + Number(rows);
  }
  return counts;
}

/** The call ended before its last message; what the caller's own rows and listeners throw is not this. */
class Broken extends Error {
  readonly failure: unknown;

  constructor(failure: unknown) {
    super("the call broke off", { cause: failure });
    this.failure = failure;
  }
}

/** One bidi call of an ingest. */
class Call {
  readonly #exchange: Exchange<Message, Message>;
  readonly #request: DescMessage;

  constructor(exchange: Exchange<Message, Message>, method: DescMethodBiDiStreaming) {
    this.#exchange = exchange;
    this.#request = method.input;
  }

  send(message: Sent): void {
    this.sendEncoded(this.encode(message));
  }

  encode(message: Sent): Uint8Array {
    return toBinary(this.#request, create(this.#request, { message } as MessageInitShape<DescMessage>));
  }

  // Not waited for: the window bounds what is under way.
  sendEncoded(bytes: Uint8Array): void {
    this.#exchange.send(bytes);
  }

  async receive<C extends keyof Answers>(wanted: C): Promise<Answers[C]> {
    const response = (await this.#exchange.receive().catch((failure: unknown) => {
      throw new Broken(failure);
    })) as unknown as Response | undefined;
    if (!response) throw new Broken(endedEarly());
    if (response.message.case !== wanted) {
      const got = response.message.case ?? "an unknown message";
      throw new PasserelleError({ code: "INTERNAL", details: `wanted '${wanted}', got ${got}` });
    }
    return response.message.value as Answers[C];
  }

  close(): void {
    this.#exchange.close();
  }
}
