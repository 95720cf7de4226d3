/** Resumable export of log rows. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";

import type { Connection } from "./connection.js";
import { UsageError } from "./errors.js";
import {
  DeliveryStatus,
  FailureType,
  type LogEntry,
  LogEntrySchema,
  LogKind,
  TrackingKind,
} from "./gen/passerelle/v1/log_entry_pb.js";
import {
  type ExportLogsRequest,
  ExportLogsRequestSchema,
  type ExportLogsResponse,
  type ExportLogsResponse_Header,
  LogService,
} from "./gen/passerelle/v1/log_service_pb.js";
import { Moment } from "./moment.js";
import { Patience } from "./patience.js";
import { resumed } from "./resume.js";

const ENUMS: Record<string, Record<number, string>> = {
  kind: LogKind,
  status: DeliveryStatus,
  failure_type: FailureType,
  tracking_kind: TrackingKind,
};
const LOCAL_NAMES = new Map(LogEntrySchema.fields.map((field) => [field.name, field.localName as keyof LogEntry]));

/** A field's value for people: times as Moment, enums by name; null if it is not set. */
export type LogValue = string | number | bigint | boolean | Moment | null;

/** How far the consumer of one export was told to be, and what was given that it may not have been told. */
export class Acknowledgements {
  readonly #tell: ((cursor: string) => Promise<unknown>) | undefined;
  readonly #isBehind: () => Promise<boolean>;
  #told = -1n;
  #given = -1n;

  /** Without `tell` the export is by no consumer. */
  constructor(tell: ((cursor: string) => Promise<unknown>) | undefined, isBehind: () => Promise<boolean>) {
    this.#tell = tell;
    this.#isBehind = isBehind;
  }

  /** Where the export begins. What lies before a cursor of the caller's own is the caller's to acknowledge. */
  begin(sequence: bigint, fromConsumer: boolean): void {
    this.#given = sequence;
    this.#told = fromConsumer ? sequence : -1n;
  }

  give(batch: LogBatch): void {
    if (batch.rows.length > 0) this.#given = batch.sequence;
  }

  async tell(batch: LogBatch): Promise<void> {
    if (!this.#tell) throw new UsageError("only an export by a source's consumer can be acknowledged");
    await this.#tell(batch.cursor);
    if (batch.sequence > this.#told) this.#told = batch.sequence;
  }

  /**
   * Tells of a batch without rows, if all rows before it are acknowledged and the consumer is behind: sequences grow
   * by acknowledging too.
   */
  async passOver(batch: LogBatch): Promise<void> {
    const allTold = this.#given <= this.#told && this.#told < batch.sequence;
    if (!this.#tell || batch.rows.length > 0 || !allTold) return;
    if (await this.#isBehind()) await this.tell(batch);
    this.#told = batch.sequence;
  }
}

/**
 * Rows and the cursor after them. Store the cursor with what you did with the rows, or acknowledge it. One without
 * rows needs no acknowledging: an export by a consumer does that itself, once every batch with rows before it is
 * acknowledged and the next one is asked for.
 */
export class LogBatch {
  readonly rows: readonly LogEntry[];
  readonly cursor: string;
  readonly sequence: bigint;
  /** A sign of life of an export that follows: nothing matched for a while. */
  readonly heartbeat: boolean;
  readonly header: ExportLogsResponse_Header;
  readonly #acknowledgements: Acknowledgements;

  constructor(message: ExportLogsResponse, header: ExportLogsResponse_Header, acknowledgements: Acknowledgements) {
    this.rows = message.rows;
    this.cursor = message.cursor;
    this.sequence = message.sequence;
    this.heartbeat = message.heartbeat;
    this.header = header;
    this.#acknowledgements = acknowledgements;
  }

  /**
   * Tells the consumer's position: an export by this consumer starts after these rows. Waits for a server that is
   * away as long as the export itself would. UsageError if the export is by no consumer.
   */
  acknowledge(): Promise<void> {
    return this.#acknowledgements.tell(this);
  }

  /** The rows as objects of the chosen fields, under the names the source gives them. */
  *records(): Generator<Record<string, LogValue>, void, undefined> {
    const fields = this.header.fields.map(({ field, rename }) => [field, rename || field] as const);
    for (const row of this.rows) {
      yield Object.fromEntries(fields.map(([field, name]) => [name, readable(field, row)]));
    }
  }
}

function readable(field: string, row: LogEntry): LogValue {
  // A field of a newer server that this client does not know has no value here.
  const value = row[LOCAL_NAMES.get(field) as keyof LogEntry] as string | number | bigint | boolean | undefined;
  if (value === undefined || value === "") return null;
  const names = ENUMS[field];
  if (names) return value === 0 ? null : (names[value as number] ?? String(value));
  if (field.endsWith("_time_us")) return value === 0n ? null : new Moment(value as bigint);
  return value;
}

/** Yields batches; reconnects from the last cursor while the server is away. */
export async function* exportLogs(
  connection: Connection,
  init: MessageInitShape<typeof ExportLogsRequestSchema>,
  acknowledgements: Acknowledgements,
  retryForMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogBatch, void, undefined> {
  const request: ExportLogsRequest = create(ExportLogsRequestSchema, init);
  const patience = new Patience(retryForMs);
  let header: ExportLogsResponse_Header | undefined;
  let isWhole = false;
  const open = () => {
    isWhole = false;
    return connection.serverStream(LogService.method.exportLogs, request, { signal });
  };
  // One that broke off at its end is opened again too: rows may have come since.
  const end = { mayBeHere: () => isWhole && !request.follow, isReached: () => false };
  for await (const message of resumed(open, end, patience, signal)) {
    if (message.header && !header) acknowledgements.begin(message.sequence, request.cursor === "");
    header = message.header ?? header;
    isWhole = message.sequence >= (header?.endSequence ?? 0n);
    if (message.header) continue;
    request.cursor = message.cursor;
    patience.progressed();
    const batch = new LogBatch(message, header as ExportLogsResponse_Header, acknowledgements);
    acknowledgements.give(batch);
    yield batch;
    await acknowledgements.passOver(batch);
  }
}
