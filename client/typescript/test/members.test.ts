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
type Answer = MessageInitShape<typeof StreamMembersResponseSchema>;

/** Each call has its answers, and breaks off where they end. */
function streamOf(...script: Answer[][]): { stream: MemberStream; calls: () => number } {
  let calls = 0;
  const serverStream = (): object => {
    const answers = [...(script[calls++] ?? [])];
    const receive = async (): Promise<unknown> => {
      const answer = answers.shift();
      if (!answer) throw GONE;
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
