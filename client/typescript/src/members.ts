/** Members of an audience, in full or what changed. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";

import { decode, type ReadValue } from "./columns.js";
import type { Connection } from "./connection.js";
import { PasserelleError, UsageError } from "./errors.js";
import {
  ActivationService,
  type StreamMembersRequest,
  StreamMembersRequestSchema,
  type StreamMembersResponse,
  type StreamMembersResponse_Batch,
  StreamMembersResponse_Change as Change,
  type StreamMembersResponse_Header,
  type StreamMembersResponse_Trailer,
} from "./gen/passerelle/v1/activation_service_pb.js";
import { ExclusionReason } from "./gen/passerelle/v1/audience_service_pb.js";
import { AttributeType } from "./gen/passerelle/v1/instance_pb.js";
import { Moment } from "./moment.js";
import { Patience } from "./patience.js";
import { resumed } from "./resume.js";
import type { FieldTypes } from "./rows.js";

/** What a stream says of a member: MEMBER in a full one, else what changed. */
export type MemberChange = "MEMBER" | "ENTERED" | "EXITED" | "UPDATED" | `${number}`;

/** A member of an audience. */
export interface Member {
  /** The profile's id. */
  readonly profile: bigint;
  readonly identities: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, ReadValue>>;
  readonly qualificationTime: Moment;
  readonly change: MemberChange;
}

/**
 * Iterate over it once; then `trailer` tells the counts and `endToken` where an incremental begins. A stream that
 * breaks off reconnects and goes on.
 */
export class MemberStream implements AsyncIterable<Member> {
  /** The membership that is streamed; undefined before the first member. */
  header: StreamMembersResponse_Header | undefined;
  /** The counts; undefined before the end. */
  trailer: StreamMembersResponse_Trailer | undefined;
  readonly #connection: Connection;
  readonly #request: StreamMembersRequest;
  readonly #namespaces: readonly string[];
  readonly #types: () => Promise<FieldTypes>;
  readonly #retryForMs: number;
  readonly #signal: AbortSignal | undefined;

  /** `types` tells the types of the attributes asked for; it is asked once, when the iteration begins. */
  constructor(
    connection: Connection,
    request: MessageInitShape<typeof StreamMembersRequestSchema>,
    types: () => Promise<FieldTypes>,
    retryForMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.#connection = connection;
    this.#request = create(StreamMembersRequestSchema, request);
    const asked = this.#request.identityNamespaces;
    this.#namespaces = asked.length > 0 ? asked : ["external_id"];
    this.#types = types;
    this.#retryForMs = retryForMs;
    this.#signal = signal;
  }

  /** Hand this to a later streamMembers as `since`. UsageError before the end. */
  get endToken(): string {
    if (!this.trailer) throw new UsageError("the stream has not ended yet");
    return this.trailer.endToken;
  }

  /** Members that were left out, by reason; empty before the end. */
  get excluded(): Partial<Record<keyof typeof ExclusionReason | `${number}`, number>> {
    const counts = this.trailer?.excluded ?? [];
    return Object.fromEntries(
      counts.map(({ reason, members }) => [ExclusionReason[reason] ?? reason, Number(members)]),
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Member, void, undefined> {
    const types = await this.#types();
    const patience = new Patience(this.#retryForMs);
    const method = ActivationService.method.streamMembers;
    const open = () => this.#connection.serverStream(method, this.#request, { signal: this.#signal });
    const isWhole = (): boolean => this.trailer !== undefined;
    const end = { mayBeHere: isWhole, isReached: isWhole };
    for await (const message of resumed(open, end, patience, this.#signal)) {
      yield* this.#read(message, types);
      this.#request.resumeToken = message.resumeToken;
      // Each try begins with a header: by itself it gets nothing on.
      if (message.message.case !== "header") patience.progressed();
    }
  }

  *#read({ message }: StreamMembersResponse, types: FieldTypes): Generator<Member, void, undefined> {
    if (message.case === "header") this.header = message.value;
    else if (message.case === "trailer") this.trailer = message.value;
    else if (message.case === "batch") yield* this.#members(message.value, types);
  }

  *#members(batch: StreamMembersResponse_Batch, types: FieldTypes): Generator<Member, void, undefined> {
    const identities = this.#namespaces.map(
      (name, i) => [name, columnOf(batch.identities[i], batch.records, AttributeType.STRING)] as const,
    );
    const attributes = Array.from(
      types,
      ([name, type], i) => [name, columnOf(batch.columns[i], batch.records, type)] as const,
    );
    for (let i = 0; i < batch.records; i++) {
      const change = batch.changes[i] ?? Change.UNSPECIFIED;
      yield {
        profile: batch.profiles[i] ?? 0n,
        identities: present(identities, i) as Record<string, string>,
        attributes: present(attributes, i),
        qualificationTime: new Moment(batch.qualificationTimesUs[i] ?? 0n),
        change: change === Change.UNSPECIFIED ? "MEMBER" : ((Change[change] ?? String(change)) as MemberChange),
      };
    }
  }
}

function columnOf(column: Parameters<typeof decode>[0] | undefined, records: number, type: AttributeType) {
  if (!column)
    throw new PasserelleError({ code: "INTERNAL", details: "the server sent fewer columns than were asked for" });
  return decode(column, records, type);
}

function present(columns: readonly (readonly [string, readonly (ReadValue | undefined)[]])[], index: number) {
  const values: Record<string, ReadValue> = {};
  for (const [name, column] of columns) {
    const value = column[index];
    if (value !== undefined) values[name] = value;
  }
  return values;
}
