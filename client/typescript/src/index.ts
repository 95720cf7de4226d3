/**
 * Client of Passerelle.
 *
 *     import { connect } from "passerelle";
 *     const client = connect("127.0.0.1:7701");
 *     const options = { identities: ["external_id"], fields: ["city"], stream: "people" };
 *     const result = await client.importProfiles(rows, options);
 *
 * Generated messages are in "passerelle/v1"; `client.stubs` holds one stub for each service.
 */

export {
  Client,
  connect,
  type ConnectOptions,
  type ExportOptions,
  type ImportOptions,
  type IngestOptions,
  type MembersOptions,
  type PushOptions,
  type SyncOptions,
} from "./client.js";
export type { ReadValue, Text, Value } from "./columns.js";
export { type Code, type FieldViolation, PasserelleError, UsageError } from "./errors.js";
export { LogBatch, type LogValue } from "./export.js";
export type { Counts, IngestResult, OutcomeName, RunOptions } from "./ingest.js";
export { type Member, type MemberChange, MemberStream } from "./members.js";
export { Moment, type Time } from "./moment.js";
export type { LogRow, Row } from "./rows.js";
export type { Security } from "./security.js";
export type { Source } from "./source.js";
export type { CallOptions, Stub } from "./stub.js";
/** The version of this package. */
export const VERSION = "0.1.0";
