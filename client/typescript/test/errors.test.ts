import assert from "node:assert/strict";
import { test } from "node:test";

import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";

import { PasserelleError, typed } from "../src/errors.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";

function serviceError(code: status, details: string, metadata = new Metadata()): Error {
  return Object.assign(new Error(details), { code, details, metadata });
}

function failure(code: status, details: string, metadata?: Metadata): PasserelleError {
  const error = typed(serviceError(code, details, metadata));
  assert(error instanceof PasserelleError);
  return error;
}

test("an error says its reason, fields, metadata and when to come again", () => {
  const metadata = new Metadata();
  const fieldViolations = [{ field: "fields[0]", description: "unknown" }];
  const details = [
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, { reason: "OVERLOADED", domain: "passerelle", metadata: { a: "b" } }),
    ),
    anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })),
    anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: 1n, nanos: 250_000_000 } })),
  ];
  metadata.add(
    "grpc-status-details-bin",
    Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code: 8, details }))),
  );
  const error = failure(status.RESOURCE_EXHAUSTED, "the write queue is full", metadata);
  assert.equal(error.message, "RESOURCE_EXHAUSTED OVERLOADED: the write queue is full");
  assert.equal(error.details, "the write queue is full");
  assert.deepEqual([error.code, error.reason, error.metadata], ["RESOURCE_EXHAUSTED", "OVERLOADED", { a: "b" }]);
  assert.deepEqual(error.fieldViolations, fieldViolations);
  assert.equal(error.retryDelayMs, 1250);
  assert(error.retryable);
});

test("details that nobody can read leave the call's own status", () => {
  const metadata = new Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from([0xff, 0xff, 0xff]));
  const error = failure(status.UNAVAILABLE, "of a proxy", metadata);
  assert.deepEqual([error.code, error.details, error.reason], ["UNAVAILABLE", "of a proxy", ""]);
});

test("what may succeed later is told apart from what cannot", () => {
  const retryable = (code: status): boolean => failure(code, "").retryable;
  assert(retryable(status.UNAVAILABLE));
  assert(retryable(status.CANCELLED), "the server was stopped while it worked");
  assert(!retryable(status.RESOURCE_EXHAUSTED), "without a time to come again: a message over the limit");
  assert(!retryable(status.NOT_FOUND));
  assert(!retryable(status.DEADLINE_EXCEEDED));
  const aborted = (reason: string) => new PasserelleError({ code: "ABORTED", details: "", reason }).retryable;
  assert(aborted("MAPPING_CHANGED"), "the stream may be opened again at once");
  assert(!aborted("ETAG_MISMATCH"), "nothing changes by asking again");
});

test("a connection that broke under a write is a lost connection", () => {
  const broken = "Received RST_STREAM with code 2 triggered by internal client error: write EPIPE";
  assert.equal(failure(status.INTERNAL, broken).code, "UNAVAILABLE");
  assert.equal(
    failure(status.INTERNAL, "Received RST_STREAM with code 0 (Call ended without gRPC status)").code,
    "UNAVAILABLE",
  );
  assert.equal(failure(status.INTERNAL, "Received RST_STREAM with code 2 (Internal server error)").code, "INTERNAL");
  assert.equal(failure(status.INTERNAL, "internal error, call id 5f3c").code, "INTERNAL");
});

test("an error of the caller's own stays what it is", () => {
  const own = new RangeError("of the caller");
  assert.equal(typed(own), own);
});
