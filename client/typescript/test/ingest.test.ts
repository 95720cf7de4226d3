import assert from "node:assert/strict";
import { test } from "node:test";

import { create, fromBinary } from "@bufbuild/protobuf";

import { Client, PasserelleError, type Row, UsageError } from "../src/index.js";
import type { CallLimits, Connection } from "../src/connection.js";
import {
  type ImportProfilesRequest,
  ImportProfilesRequestSchema,
  type ImportProfilesResponse,
  ImportProfilesResponseSchema,
  ListAttributesResponseSchema,
  type MessageInitShape,
} from "../src/v1.js";

/** A message, the failure of the call, or its end with OK. */
type Answer = MessageInitShape<typeof ImportProfilesResponseSchema>["message"] | PasserelleError | "OK";
const GONE = new PasserelleError({ code: "UNAVAILABLE", details: "gone" });
const REMAPPED = new PasserelleError({ code: "ABORTED", details: "open again", reason: "MAPPING_CHANGED" });

const opened = (nextOffset: number): Answer => ({
  case: "opened",
  value: { nextOffset: BigInt(nextOffset), maxBatchRecords: 10_000 },
});
const ack = (from: number, to: number): Answer => ({
  case: "ack",
  value: { nextOffset: BigInt(to), received: BigInt(to - from) },
});
const finished = (total: number): Answer => ({ case: "finished", value: { totalRecords: BigInt(total) } });

/** A server of one import: each call has its answers, and breaks off where they end. */
class Scripted {
  readonly calls: ImportProfilesRequest[][] = [];
  readonly limits: (CallLimits | undefined)[] = [];
  readonly client = new Client(this as unknown as Connection, "default");
  readonly #script: Answer[][];

  constructor(...script: Answer[][]) {
    this.#script = script;
  }

  unary(_method: unknown, _request: unknown, limits?: CallLimits): Promise<unknown> {
    this.limits.push(limits);
    return Promise.resolve(create(ListAttributesResponseSchema));
  }

  bidi(): object {
    const answers = this.#script[this.calls.length] ?? [];
    const sent: ImportProfilesRequest[] = [];
    this.calls.push(sent);
    return {
      send: (bytes: Uint8Array): boolean => sent.push(fromBinary(ImportProfilesRequestSchema, bytes)) > 0,
      receive: async (): Promise<ImportProfilesResponse | undefined> => {
        const message = answers.shift() ?? GONE;
        if (message instanceof PasserelleError) throw message;
        if (message === "OK") return undefined;
        return create(ImportProfilesResponseSchema, { message });
      },
      close: () => undefined,
    };
  }

  /** The offsets and lengths of the batches of a call. */
  batches(call: number): [bigint, number][] {
    return (this.calls[call] ?? []).flatMap(({ message }) =>
      message.case === "batch" ? [[message.value.offset, message.value.records] as [bigint, number]] : [],
    );
  }
}

const people = (count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ identities: { external_id: `${i}` } }));
const options = { identities: ["external_id"], stream: "people", batchRecords: 2 };

test("it goes on where the server is, with what was not acknowledged", async () => {
  const server = new Scripted([opened(0)], [opened(1), ack(1, 3), ack(3, 4), finished(4)]);
  const result = await server.client.importProfiles(people(4), options);
  assert.deepEqual([result.totalRecords, result.reconnects], [4, 1]);
  assert.deepEqual(server.batches(1), [
    [1n, 2],
    [3n, 1],
  ]);
});

test("a stream without a name is not repeated", async () => {
  const server = new Scripted([opened(0)], [opened(0), ack(0, 1), finished(1)]);
  await assert.rejects(server.client.importProfiles(people(1), { ...options, stream: "" }), GONE);
  assert.equal(server.calls.length, 1);
});

test("a stream that ends too early goes on if it has a name, and is told of if not", async () => {
  const script = (): Answer[][] => [[opened(0), ack(0, 1), "OK"], [opened(1), ack(1, 2), finished(2)]];
  const result = await new Scripted(...script()).client.importProfiles(people(2), options);
  assert.deepEqual([result.totalRecords, result.reconnects], [2, 1]);
  const unnamed = new Scripted(...script());
  const early = { code: "UNAVAILABLE", retryable: true, details: /ended the stream before it was finished/ };
  await assert.rejects(unnamed.client.importProfiles(people(2), { ...options, stream: "" }), early);
  assert.equal(unnamed.calls.length, 1);
});

test("when a mapping changed, a stream goes on if it has a name, and is told of if not", async () => {
  const script = (): Answer[][] => [[opened(0), REMAPPED], [opened(0), ack(0, 1), finished(1)]];
  const result = await new Scripted(...script()).client.importProfiles(people(1), options);
  assert.deepEqual([result.totalRecords, result.reconnects], [1, 1]);
  const unnamed = new Scripted(...script());
  await assert.rejects(unnamed.client.importProfiles(people(1), { ...options, stream: "" }), REMAPPED);
  assert.equal(unnamed.calls.length, 1);
});

test("what the server stored before it broke off is progress, though its acknowledgement was lost", async () => {
  const script = [[opened(0)], [opened(1)], [opened(2)], [opened(3), finished(3)]];
  const result = await new Scripted(...script).client.importProfiles(people(3), { ...options, retryForMs: 1 });
  assert.equal(result.reconnects, 3);
  const stuck = new Scripted([opened(0)], [opened(0)], [opened(0)]);
  await assert.rejects(stuck.client.importProfiles(people(3), { ...options, retryForMs: 1 }), GONE);
  assert.equal(stuck.calls.length, 2);
});

test("what the caller's rows throw is thrown, and the stream is not finished without the rest", async () => {
  async function* rows(): AsyncGenerator<Row> {
    yield* people(2);
    throw GONE; // of an export that is their source, for example
  }
  const server = new Scripted([opened(0), ack(0, 2)], [opened(2), finished(2)]);
  await assert.rejects(server.client.importProfiles(rows(), options), GONE);
  assert.equal(server.calls.length, 1);
});

test("what the caller's listener throws ends the ingest", async () => {
  const server = new Scripted([opened(0), ack(0, 2)], [opened(2), finished(2)]);
  const onProgress = (): void => {
    throw GONE;
  };
  await assert.rejects(server.client.importProfiles(people(2), { ...options, onProgress }), GONE);
  assert.equal(server.calls.length, 1);
});

test("batches of wide rows are cut by their bytes", async () => {
  const rows = people(4).map((row) => ({ ...row, recordKey: "k".repeat(500_000) }));
  const server = new Scripted([opened(0), ack(0, 1), ack(1, 2), ack(2, 3), ack(3, 4), finished(4)]);
  await server.client.importProfiles(rows, { ...options, batchRecords: 4 });
  const batches = server.batches(0);
  assert.deepEqual(
    batches.map(([offset]) => offset),
    [0n, 1n, 2n, 3n],
  );
});

test("a record that cannot be encoded is named", async () => {
  const rows = [...people(1), undefined as unknown as Row];
  const server = new Scripted([opened(0)]);
  await assert.rejects(
    server.client.importProfiles(rows, options),
    (error) => error instanceof UsageError && error.message.startsWith("record 1: "),
  );
});

test("aborting ends also what is read before the first row", async () => {
  const { signal } = new AbortController();
  const server = new Scripted([opened(0), finished(0)]);
  await server.client.importProfiles([], { ...options, fields: ["city"], signal });
  assert.equal(server.limits[0]?.signal, signal);
});
