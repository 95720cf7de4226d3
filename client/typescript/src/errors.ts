/** Errors of the service, typed: the reason, the fields, when to come again. */

import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { type ServiceError, status } from "@grpc/grpc-js";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "./gen/google/rpc/status_pb.js";

/** The name of a gRPC status, for example "NOT_FOUND". */
export type Code = keyof typeof status;

/** A field of the request that was refused, and why. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/**
 * What this client refuses before it calls the server: a bad row, an unreadable file, a key that would leave in
 * plaintext.
 */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What is told of a call that failed. */
export interface Failure {
  code: Code;
  details: string;
  reason?: string;
  metadata?: Record<string, string>;
  fieldViolations?: FieldViolation[];
  retryDelayMs?: number;
}

/**
 * A call that failed.
 *
 * `reason` is a value of passerelle.v1.ErrorReason without its prefix, for example "DESTINATION_PAUSED"; empty where
 * gRPC itself failed (no connection, an oversized message). `details` is what the server says, for people; `message`
 * is the code, the reason and that. `retryDelayMs` is undefined where the server names no time.
 */
export class PasserelleError extends Error {
  override readonly name = "PasserelleError";
  readonly code: Code;
  readonly details: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fieldViolations: readonly FieldViolation[];
  readonly retryDelayMs: number | undefined;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(`${[failure.code, failure.reason].filter(Boolean).join(" ")}: ${failure.details}`, options);
    this.code = failure.code;
    this.details = failure.details;
    this.reason = failure.reason ?? "";
    this.metadata = failure.metadata ?? {};
    this.fieldViolations = failure.fieldViolations ?? [];
    this.retryDelayMs = failure.retryDelayMs;
  }

  /**
   * The same may succeed later: the server was away, was too busy and said so, or was stopped while it worked; or the
   * mapping of a destination was changed under a stream (MAPPING_CHANGED), which may be opened again at once. A named
   * ingest does all this by itself, for as long as its retryForMs says.
   *
   * Of a call that the server was stopped in, gRPC says CANCELLED and the server no reason; whether it was done is
   * not known.
   */
  get retryable(): boolean {
    const cutOff = this.code === "CANCELLED" && this.reason === "";
    const busy = this.code === "RESOURCE_EXHAUSTED" && this.retryDelayMs !== undefined;
    return this.code === "UNAVAILABLE" || busy || mappingChanged(this) || cutOff;
  }
}

/** Whether a stream ended because its fields may now be mapped to attributes of other types. */
export function mappingChanged(error: unknown): boolean {
  return error instanceof PasserelleError && error.code === "ABORTED" && error.reason === "MAPPING_CHANGED";
}

/** The error of a stream that the server ended with OK, though more was to come. */
export function endedEarly(): PasserelleError {
  return new PasserelleError({
    code: "UNAVAILABLE",
    details: "the server ended the stream before it was finished",
  });
}

/** What a call throws as what this package throws; what is no error of a call stays as it is. */
export function typed(error: unknown): unknown {
  if (!isServiceError(error)) return error;
  const failure: Failure = { code: codeOf(error), details: error.details };
  for (const packed of error.metadata?.get("grpc-status-details-bin") ?? []) {
    if (packed instanceof Uint8Array) readAll(failure, packed);
  }
  return new PasserelleError(failure, { cause: error });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "details" in error;
}

// Node reports a connection that broke in the middle of a write as an error of the stream: the transport then says
// INTERNAL where it says UNAVAILABLE of every other lost connection.
const BROKEN_CONNECTION = /^Received RST_STREAM with code (0 |2 triggered by internal client error)/;

function codeOf(error: ServiceError): Code {
  if (error.code === status.INTERNAL && BROKEN_CONNECTION.test(error.details)) return "UNAVAILABLE";
  return (status[error.code] ?? "UNKNOWN") as Code;
}

function readAll(failure: Failure, packed: Uint8Array): void {
  try {
    readDetails(failure, packed);
  } catch {
    // Garbage, as a proxy may make: the call's own status is enough to act on.
  }
}

function readDetails(failure: Failure, packed: Uint8Array): void {
  for (const detail of fromBinary(StatusSchema, packed).details) {
    const info = anyUnpack(detail, ErrorInfoSchema);
    const bad = anyUnpack(detail, BadRequestSchema);
    const retry = anyUnpack(detail, RetryInfoSchema);
    if (info) {
      failure.reason = info.reason;
      failure.metadata = { ...info.metadata };
    } else if (bad) {
      const found = bad.fieldViolations.map(({ field, description }) => ({ field, description }));
      failure.fieldViolations = [...(failure.fieldViolations ?? []), ...found];
    } else if (retry) {
      failure.retryDelayMs = retry.retryDelay ? durationMs(retry.retryDelay) : 0;
    }
  }
}
