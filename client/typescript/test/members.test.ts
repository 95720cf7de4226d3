import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import type { Connection } from "../src/connection.js";
import { PasserelleError } from "../src/index.js";
import { MemberStream } from "../src/members.js";
import { type MessageInitShape, StreamMembersResponseSchema } from "../src/v1.js";

const GONE = new PasserelleError({ code: "UNAVAILABLE", details: "gone" });
const HEADER: Answer = { message: { case: "header", value: {} }, resumeToken: "begun" };
const BATCH: Answer = { message: { case: "batch", value: { identities: [{}] } }, resumeToken: "later" };
const TRAILER: Answer = { message: { case: "trailer", value: { endToken: "end" } }, resumeToken: "ended" };
type Answer = MessageInitShape<typeof StreamMembersResponseSchema>;

/** Each call has its answers; where they end it breaks off, or ends with OK. */
function streamOf(...script: (Answer | "OK")[][]): { stream: MemberStream; calls: () => number } {
  let calls = 0;
  const serverStream = (): object => {
    const answers = [...(script[calls++] ?? [])];
    const receive = async (): Promise<unknown> => {
      const answer = answers.shift();
      if (!answer) throw GONE;
      if (answer === "OK") return undefined;
      return create(StreamMembersResponseSchema, answer);
    };
    return { receive, close: () => undefined };
  };
  const connection = { serverStream } as unknown as Connection;
  const types = () => Promise.resolve(new Map());
  return { stream: new MemberStream(connection, { audience: "vip" }, types, 1, undefined), calls: () => calls };
}

async function read(stream: MemberStream): Promise<void> {
  for await (const _ of stream);
}

test("a stream that breaks after its header each time is given up", async () => {
  const { stream, calls } = streamOf([HEADER], [HEADER], [HEADER], [HEADER]);
  await assert.rejects(read(stream), GONE);
  assert.equal(calls(), 2);
});

test("a stream that gets on has all its patience again", async () => {
  const { stream, calls } = streamOf([HEADER], [HEADER, BATCH], [HEADER]);
  await assert.rejects(read(stream), GONE);
  assert.equal(calls(), 3);
});

test("a stream that ends without its trailer is a broken one", async () => {
  const { stream, calls } = streamOf([HEADER, "OK"], [HEADER, BATCH, "OK"], [HEADER, BATCH, TRAILER, "OK"]);
  await read(stream);
  assert.deepEqual([stream.endToken, calls()], ["end", 3]);
  const never = streamOf([HEADER, "OK"], [HEADER, "OK"], [HEADER, "OK"]);
  await assert.rejects(read(never.stream), { code: "UNAVAILABLE", retryable: true });
  assert.equal(never.calls(), 2);
});

test("nothing is missing of a stream that breaks after its trailer", async () => {
  const { stream, calls } = streamOf([HEADER, BATCH, TRAILER], [HEADER, TRAILER]);
  await read(stream);
  assert.deepEqual([stream.endToken, calls()], ["end", 1]);
});
