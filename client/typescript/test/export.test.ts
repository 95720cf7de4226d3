import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import type { Connection } from "../src/connection.js";
import { Client, type ExportOptions, PasserelleError } from "../src/index.js";
import { type ExportLogsRequest, ExportLogsResponseSchema, type MessageInitShape } from "../src/v1.js";

type Answer = MessageInitShape<typeof ExportLogsResponseSchema>;
const GONE = new PasserelleError({ code: "UNAVAILABLE", details: "gone" });
const EARLY = { code: "UNAVAILABLE", retryable: true, details: /ended the stream before it was finished/ };

const header = (sequence: bigint): Answer => ({ header: { endSequence: 2n }, cursor: `c${sequence}`, sequence });
const batch = (sequence: bigint): Answer => ({ rows: [{ sequence }], cursor: `c${sequence}`, sequence });

/** Each call has its answers; where they end it breaks off, or ends with OK. */
class Scripted {
  readonly cursors: string[] = [];
  readonly #client = new Client(this as unknown as Connection, "default");
  readonly #script: (Answer | "OK")[][];

  constructor(...script: (Answer | "OK")[][]) {
    this.#script = script;
  }

  serverStream(_method: unknown, request: ExportLogsRequest): object {
    const answers = [...(this.#script[this.cursors.length] ?? [])];
    this.cursors.push(request.cursor);
    const receive = async (): Promise<unknown> => {
      const answer = answers.shift();
      if (!answer) throw GONE;
      return answer === "OK" ? undefined : create(ExportLogsResponseSchema, answer);
    };
    return { receive, close: () => undefined };
  }

  async read(options: ExportOptions): Promise<bigint[]> {
    const sequences: bigint[] = [];
    for await (const { rows } of this.#client.exportLogs({ retryForMs: 1, ...options })) {
      sequences.push(...rows.map(({ sequence }) => sequence));
    }
    return sequences;
  }
}

test("an export ends at the sequence that its header tells, and one that ends before goes on", async () => {
  const whole = new Scripted([header(0n), batch(1n), batch(2n), "OK"]);
  assert.deepEqual(await whole.read({}), [1n, 2n]);
  const nothing = new Scripted([header(2n), "OK"]);
  assert.deepEqual(await nothing.read({ cursor: "c2" }), []);
  const early = new Scripted([header(0n), batch(1n), "OK"], [header(1n), batch(2n), "OK"]);
  assert.deepEqual(await early.read({}), [1n, 2n]);
  assert.deepEqual(early.cursors, ["", "c1"]);
});

test("an export that gets nothing on is given up", async () => {
  const headers = new Scripted([header(0n)], [header(0n)], [header(0n)]);
  await assert.rejects(headers.read({}), GONE);
  const early = new Scripted([header(0n), "OK"], [header(0n), "OK"], [header(0n), "OK"]);
  await assert.rejects(early.read({}), EARLY);
  const silent = new Scripted(["OK"], ["OK"], ["OK"]);
  await assert.rejects(silent.read({}), EARLY);
  assert.deepEqual([headers, early, silent].map(({ cursors }) => cursors.length), [2, 2, 2]);
});

test("an export that follows has no end", async () => {
  const follows = new Scripted([header(0n), batch(2n), "OK"], [header(2n), "OK"]);
  await assert.rejects(follows.read({ follow: true }), EARLY);
  assert.deepEqual(follows.cursors, ["", "c2"]);
});
