/** Rows that go in, and how each kind of ingest encodes a batch of them. */

import { create, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";

import { encode, type Text, toBytes, type Value } from "./columns.js";
import { UsageError } from "./errors.js";
import { MembershipStatus } from "./gen/passerelle/v1/audience_pb.js";
import { PushMembersRequest_BatchSchema } from "./gen/passerelle/v1/audience_sync_service_pb.js";
import type { Column } from "./gen/passerelle/v1/ingest_pb.js";
import { AttributeType } from "./gen/passerelle/v1/instance_pb.js";
import { type LogEntrySchema, type RawLogEntry, RawLogEntrySchema } from "./gen/passerelle/v1/log_entry_pb.js";
import type { ImportProfilesRequest_BatchSchema } from "./gen/passerelle/v1/profile_service_pb.js";
import type { Time } from "./moment.js";

/** One record. A field that is not in `fields`, or is undefined, is left alone; null is null. */
export interface Row {
  readonly identities: Readonly<Record<string, Text | null | undefined>>;
  readonly fields?: Readonly<Record<string, Value | undefined>>;
  readonly eventTime?: Time;
  /** The caller's own key, told back with the outcome. */
  readonly recordKey?: Text;
  /** Of a push: the audience's source_id (may be left out when the stream has one). */
  readonly audience?: string;
  /** Of a push: the profile left the audience. */
  readonly exited?: boolean;
  /** Of a push: since when. */
  readonly qualificationTime?: Time;
}

/** One log row. A LogEntry and a RawLogEntry, whose texts may not be UTF-8, are the same on the wire. */
export type LogRow = MessageInitShape<typeof LogEntrySchema> | MessageInitShape<typeof RawLogEntrySchema>;

/** The type of each field of a stream, in the order in which it was opened. */
export type FieldTypes = ReadonlyMap<string, AttributeType>;

/** Encodes rows from an offset on as a batch; UsageError names the record that cannot be. */
export type Encoder<R> = (offset: number, rows: readonly R[]) => object;

// Imports and syncs have the same batches.
type RecordBatch = MessageInitShape<typeof ImportProfilesRequest_BatchSchema>;

/** Encodes rows of an import or a sync. */
export function recordEncoder(namespaces: readonly string[], types: FieldTypes): Encoder<Row> {
  return (offset, rows) => recordColumns(offset, rows, namespaces, types);
}

function recordColumns(offset: number, rows: readonly Row[], namespaces: readonly string[], types: FieldTypes) {
  rows.forEach((row, index) => {
    const unknown =
      Object.keys(row.identities).find((name) => !namespaces.includes(name)) ??
      Object.keys(row.fields ?? {}).find((name) => !types.has(name));
    if (unknown !== undefined) throw new UsageError(`record ${offset + index}: '${unknown}' was not opened`);
  });
  const text = AttributeType.STRING;
  const batch = {
    offset: BigInt(offset),
    records: rows.length,
    identities: namespaces.map((name) =>
      encode(
        rows.map((row) => own(row.identities, name)),
        text,
        `identity ${name}`,
        offset,
      ),
    ),
    columns: Array.from(types, ([name, type]) =>
      encode(
        rows.map((row) => own(row.fields, name)),
        type,
        name,
        offset,
      ),
    ),
    eventTimes: optional(
      rows.map((row) => row.eventTime),
      AttributeType.TIMESTAMP,
      "eventTime",
      offset,
    ),
    recordKeys: optional(
      rows.map((row) => (row.recordKey?.length ? row.recordKey : undefined)),
      text,
      "recordKey",
      offset,
    ),
  };
  return batch satisfies RecordBatch;
}

// What an object has from its prototype is no field of a row.
function own<T>(values: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
}

function optional(values: readonly unknown[], type: AttributeType, what: string, offset: number): Column | undefined {
  const there = values.some((value) => value !== undefined && value !== null);
  return there
    ? encode(
        values.map((value) => value ?? undefined),
        type,
        what,
        offset,
      )
    : undefined;
}

/** Encodes rows of a push or a replace. */
export function pushEncoder(
  namespaces: readonly string[],
  types: FieldTypes,
  audiences: readonly string[],
): Encoder<Row> {
  const indexes = new Map([["", 0], ...audiences.map((audience, index) => [audience, index] as const)]);
  const indexOf = (row: Row, record: number): number => {
    const index = indexes.get(row.audience ?? "");
    if (index === undefined) throw new UsageError(`record ${record}: audience '${row.audience}' was not opened`);
    return index;
  };
  return (offset, rows) => {
    const audienceIndexes = rows.map((row, index) => indexOf(row, offset + index));
    const moments = rows.map((row) => row.qualificationTime);
    const batch = {
      ...recordColumns(offset, rows, namespaces, types),
      audienceIndexes: audiences.length > 1 ? audienceIndexes : [],
      statuses: rows.some((row) => row.exited) ? rows.map(statusOf) : [],
      qualificationTimes: optional(moments, AttributeType.TIMESTAMP, "qualificationTime", offset),
    };
    return batch satisfies MessageInitShape<typeof PushMembersRequest_BatchSchema>;
  };
}

const statusOf = (row: Row): MembershipStatus => (row.exited ? MembershipStatus.EXITED : MembershipStatus.REALIZED);

const RAW_FIELDS = RawLogEntrySchema.fields.map((field) => field.localName as keyof RawLogEntry);
const RAW_TEXTS = new Set(["delivery", "identityNamespace", "identity", "reasonMessage", "url", "urlCategory"]);

/** Encodes log rows. */
export function logEncoder(): Encoder<LogRow> {
  return (offset, rows) => ({ offset: BigInt(offset), rows: rows.map(rawLogEntry) });
}

function rawLogEntry(row: LogRow): MessageShape<typeof RawLogEntrySchema> {
  const given = row as Record<string, unknown>;
  const raw: Record<string, unknown> = {};
  for (const name of RAW_FIELDS) {
    const value = given[name];
    if (value !== undefined && value !== null) raw[name] = RAW_TEXTS.has(name) ? toBytes(value) : value;
  }
  return create(RawLogEntrySchema, raw as MessageInitShape<typeof RawLogEntrySchema>);
}
