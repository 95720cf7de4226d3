/** The client: a connection, one stub for each service, and the loops over them. */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import { Connection } from "./connection.js";
import { PasserelleError } from "./errors.js";
import { Acknowledgements, exportLogs, type LogBatch } from "./export.js";
import { AccessService } from "./gen/passerelle/v1/access_service_pb.js";
import { ActivationService } from "./gen/passerelle/v1/activation_service_pb.js";
import { AudienceService } from "./gen/passerelle/v1/audience_service_pb.js";
import { AudienceSyncService, PushMembersRequest_OpenSchema } from "./gen/passerelle/v1/audience_sync_service_pb.js";
import { AuditService } from "./gen/passerelle/v1/audit_service_pb.js";
import { DestinationService } from "./gen/passerelle/v1/destination_service_pb.js";
import { type Attribute, AttributeType, type ConsentSchema } from "./gen/passerelle/v1/instance_pb.js";
import { InstanceService } from "./gen/passerelle/v1/instance_service_pb.js";
import {
  AppendLogsRequest_OpenSchema,
  type LogFilterSchema,
  LogService,
} from "./gen/passerelle/v1/log_service_pb.js";
import { MaintenanceService } from "./gen/passerelle/v1/maintenance_service_pb.js";
import { PrivacyService } from "./gen/passerelle/v1/privacy_service_pb.js";
import { ImportProfilesRequest_OpenSchema, ProfileService } from "./gen/passerelle/v1/profile_service_pb.js";
import { ProfileSyncService, SyncProfilesRequest_OpenSchema } from "./gen/passerelle/v1/profile_sync_service_pb.js";
import type { Consumer } from "./gen/passerelle/v1/source_pb.js";
import { SourceService } from "./gen/passerelle/v1/source_service_pb.js";
import { StreamService } from "./gen/passerelle/v1/stream_service_pb.js";
import { SuppressionService } from "./gen/passerelle/v1/suppression_service_pb.js";
import { ingest, type IngestResult, type Kind, type RunOptions } from "./ingest.js";
import { MemberStream } from "./members.js";
import { type Time, toTimestamp } from "./moment.js";
import { Patience, patiently, RETRY_FOR_MS } from "./patience.js";
import { type FieldTypes, logEncoder, type LogRow, pushEncoder, recordEncoder, type Row } from "./rows.js";
import { orFromEnvironment, type Security } from "./security.js";
import type { Source } from "./source.js";
import { type CallOptions, makeStub, type UnaryCaller } from "./stub.js";

const DEFAULT_ADDRESS = "127.0.0.1:7701";
const CALL_TIMEOUT_MS = 30_000;

/** Where and how to connect. */
export interface ConnectOptions extends Security {
  /** The id of the instance; "default" if it is not said. */
  instance?: string;
}

/** What every ingest is told. */
export interface IngestOptions extends RunOptions {
  /**
   * The write stream's id. Named, it is durable: run again, it goes on where it was, and does nothing once finished.
   */
  stream?: string;
}

/** What an import is told. */
export interface ImportOptions extends IngestOptions {
  /** Ids of the namespaces that rows name people by. */
  identities: readonly string[];
  /** Ids of the attributes that rows have. */
  fields?: readonly string[];
}

/** What a sync is told. */
export interface SyncOptions extends IngestOptions {
  /** Ids of the namespaces that rows name people by. */
  identities: readonly string[];
  /** Source fields of the destination's mappings. */
  fields: readonly string[];
}

/** What a push is told. */
export interface PushOptions extends ImportOptions {
  /** source_ids of the destination's audiences that rows are of. */
  audiences: readonly string[];
  /** The rows are the whole of the one audience, published at the end. Needs a stream. */
  replace?: boolean;
  /** The moment that a replace is true for. */
  asOf?: Time;
  /** Publish nothing if more than this share of the rows is refused or unknown. */
  maxRefusedPercent?: number;
}

/** Which log rows to export, and how. */
export interface ExportOptions {
  /** Id of a source; without one, the export is ad hoc. */
  source?: string;
  /** Id of one of its consumers, whose acknowledged position is the start. */
  consumer?: string;
  /** Go on after this cursor. */
  cursor?: string;
  /** Go on as rows are appended. */
  follow?: boolean;
  /** Ad hoc: the fields to send, by their names in the proto. */
  fields?: readonly string[];
  /** Ad hoc: which rows. */
  filter?: MessageInitShape<typeof LogFilterSchema>;
  maxBatchRows?: number;
  retryForMs?: number;
  signal?: AbortSignal;
}

/** Which members to stream, and what of them. */
export interface MembersOptions {
  purpose?: string;
  /** Ids of attributes. */
  attributes?: readonly string[];
  /** Namespaces; external_id if none is said. */
  identities?: readonly string[];
  /** Attributes without which a member is left out. */
  mandatory?: readonly string[];
  /** The end token of an earlier stream: what changed since then. */
  since?: string;
  retryForMs?: number;
  signal?: AbortSignal;
}

type Page = { nextPageToken: string };
type Lists<P> = { [K in keyof P]: P[K] extends readonly unknown[] ? K : never }[keyof P];
type ItemOf<L> = L extends readonly (infer T)[] ? T : never;

/**
 * A client of the server at `address`, for example 127.0.0.1:7701 or unix:/run/passerelle.sock. It connects at the
 * first call.
 *
 * Without an address, it is PASSERELLE_ADDRESS (or else 127.0.0.1:7701), and what the options do not say is read from
 * PASSERELLE_API_KEY, PASSERELLE_API_KEY_FILE, PASSERELLE_CA_FILE, PASSERELLE_CLIENT_CERT and PASSERELLE_CLIENT_KEY.
 * With an address nothing is read from the environment: a key is not sent to a server that it was not meant for.
 *
 * UsageError, and nothing is sent, for a key that would go to another machine in plaintext, and for files that cannot
 * be used.
 */
export function connect(address?: string, options: ConnectOptions = {}): Client {
  const { instance = "default", ...security } = options;
  if (address !== undefined) return new Client(new Connection(address, security), instance);
  const target = process.env.PASSERELLE_ADDRESS || DEFAULT_ADDRESS;
  return new Client(new Connection(target, orFromEnvironment(security)), instance);
}

/** Calls throw PasserelleError. Any number of calls may be under way at once. */
export class Client {
  /** The name of the instance, `instances/{instance}`. */
  readonly instance: string;
  /** One stub for each service. */
  readonly stubs: ReturnType<typeof makeStubs>;
  readonly #connection: Connection;

  /** See connect(). */
  constructor(connection: Connection, instance: string) {
    this.#connection = connection;
    this.instance = `instances/${instance}`;
    this.stubs = makeStubs(connection, (method, request, options) => this.call(method, request, options));
  }

  /** Ends the connection; calls under way go on to their end, new ones are a UsageError. */
  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A resource name in this client's instance: name("audiences", "vip"). */
  name(...parts: string[]): string {
    return [this.instance, ...parts].join("/");
  }

  /**
   * One unary call: client.call(AudienceService.method.getAudience, {name}).
   * client.stubs.audiences.getAudience({name}) is the same.
   *
   * A read is made again when the server was away, up to three times; a call that the server was too busy to begin,
   * when it says, within the timeout.
   */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { timeoutMs = CALL_TIMEOUT_MS, signal }: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const message = create(method.input, request);
    const deadline = performance.now() + timeoutMs;
    const patience = new Patience(timeoutMs);
    for (;;) {
      try {
        const left = Math.max(deadline - performance.now(), 1);
        return await this.#connection.unary(method, message, { timeoutMs: left, signal });
      } catch (error) {
        if (!(error instanceof PasserelleError && error.reason === "OVERLOADED")) throw error;
        await patience.wait(error, { deadline, signal });
      }
    }
  }

  /** All items of a list: pages(client.stubs.audiences.listAudiences, {parent: client.instance}, "audiences"). */
  async *pages<Q extends object, P extends Page, K extends Lists<P>>(
    list: (request: Q, options?: CallOptions) => Promise<P>,
    request: Q,
    items: K,
    options?: CallOptions,
  ): AsyncGenerator<ItemOf<P[K]>, void, undefined> {
    let asked = request;
    for (;;) {
      const page = await list(asked, options);
      yield* page[items] as ItemOf<P[K]>[];
      if (page.nextPageToken === "") return;
      asked = { ...request, pageToken: page.nextPageToken };
    }
  }

  // ---- in ---------------------------------------------------------------------------------------

  /** Creates or updates profiles. Returns when every row is durable and accounted for. */
  async importProfiles(rows: Source<Row>, options: ImportOptions): Promise<IngestResult> {
    const { identities, fields = [], stream = "" } = options;
    const encoder = async () => recordEncoder(identities, await this.#attributeTypes(fields, options));
    const open = create(ImportProfilesRequest_OpenSchema, {
      parent: this.instance,
      stream: { stream },
      identityNamespaces: [...identities],
      fields: [...fields],
    });
    const method = ProfileService.method.importProfiles;
    return this.#ingest({ method, open, encoder }, rows, options);
  }

  /** Updates profiles through a PROFILE_SYNC destination; who does not exist is NOT_FOUND, never created. */
  async syncProfiles(destination: string, rows: Source<Row>, options: SyncOptions): Promise<IngestResult> {
    const { identities, fields, stream = "" } = options;
    const encoder = async () => recordEncoder(identities, await this.#mappedTypes(destination, fields, options));
    const open = create(SyncProfilesRequest_OpenSchema, {
      destination: this.name("destinations", destination),
      stream: { stream },
      identityNamespaces: [...identities],
      fields: [...fields],
    });
    const method = ProfileSyncService.method.syncProfiles;
    return this.#ingest({ method, open, encoder }, rows, options);
  }

  /**
   * Pushes memberships through an AUDIENCE_SYNC destination; with `replace` the rows are the whole of its one
   * audience, published at the end, or not at all (REPLACE_REFUSED).
   */
  async pushMembers(destination: string, rows: Source<Row>, options: PushOptions): Promise<IngestResult> {
    const { identities, audiences, fields = [], stream = "", replace = false, asOf, maxRefusedPercent } = options;
    const encoder = async () =>
      pushEncoder(identities, await this.#mappedTypes(destination, fields, options), audiences);
    const whole = { asOf: asOf === undefined ? undefined : toTimestamp(asOf), maxRefusedPercent };
    const open = create(PushMembersRequest_OpenSchema, {
      destination: this.name("destinations", destination),
      stream: { stream },
      identityNamespaces: [...identities],
      fields: [...fields],
      audiences: [...audiences],
      replace: replace ? whole : undefined,
    });
    const method = AudienceSyncService.method.pushMembers;
    return this.#ingest({ method, open, encoder }, rows, options);
  }

  /** Appends log rows. The same row again, also under another stream, is DUPLICATE. */
  async appendLogs(rows: Source<LogRow>, options: IngestOptions = {}): Promise<IngestResult> {
    const open = create(AppendLogsRequest_OpenSchema, {
      parent: this.instance,
      stream: { stream: options.stream ?? "" },
    });
    const encoder = async () => logEncoder();
    return this.#ingest({ method: LogService.method.appendLogs, open, encoder }, rows, options);
  }

  #ingest<R>(
    kind: Omit<Kind<R>, "open"> & { open: object },
    rows: Source<R>,
    options: RunOptions,
  ): Promise<IngestResult> {
    return ingest(this.#connection, kind as Kind<R>, rows, options);
  }

  // ---- out --------------------------------------------------------------------------------------

  /** Log rows from a cursor or a consumer's position on, in batches; reconnects by itself. */
  exportLogs(options: ExportOptions = {}): AsyncGenerator<LogBatch, void, undefined> {
    const { source = "", consumer = "", cursor, follow, fields = [], filter, maxBatchRows, signal } = options;
    const { retryForMs = RETRY_FOR_MS } = options;
    const name = source ? this.name("sources", source) : this.instance;
    const request = { name, consumer, cursor, follow, fields: [...fields], filter, maxBatchRows };
    const tell = (position: string): Promise<unknown> =>
      patiently(() => this.acknowledge(source, consumer, position), retryForMs, signal);
    const isBehind = async (): Promise<boolean> => {
      const get = { name: this.name("sources", source, "consumers", consumer) };
      return (await patiently(() => this.stubs.sources.getConsumer(get, { signal }), retryForMs, signal)).lag > 0n;
    };
    const acknowledgements = new Acknowledgements(consumer ? tell : undefined, isBehind);
    return exportLogs(this.#connection, request, acknowledgements, retryForMs, signal);
  }

  /** Stores a consumer's position, durably. An older cursor changes nothing. */
  acknowledge(source: string, consumer: string, cursor: string): Promise<Consumer> {
    return this.stubs.sources.acknowledge({ name: this.name("sources", source, "consumers", consumer), cursor });
  }

  /** Members that can be reached on the channel: all, or what changed since an endToken. */
  streamMembers(audience: string, channel: string, options: MembersOptions = {}): MemberStream {
    const { purpose, attributes = [], identities = [], mandatory = [], since, signal } = options;
    const request = {
      audience: this.name("audiences", audience),
      reach: { channel, purpose },
      sinceToken: since,
      attributes: [...attributes],
      identityNamespaces: [...identities],
      mandatoryAttributes: [...mandatory],
    };
    const types = (): Promise<FieldTypes> => this.#attributeTypes(attributes, options);
    return new MemberStream(this.#connection, request, types, options.retryForMs ?? RETRY_FOR_MS, signal);
  }

  // ---- schema -----------------------------------------------------------------------------------

  /** Creates an attribute; one that is there already is left as it is. */
  async createAttribute(
    attribute: string,
    type: keyof typeof AttributeType,
    consent?: MessageInitShape<typeof ConsentSchema>,
  ): Promise<Attribute> {
    const made = { type: AttributeType[type], consent };
    try {
      return await this.stubs.instances.createAttribute({
        parent: this.instance,
        attributeId: attribute,
        attribute: made,
      });
    } catch (error) {
      if (!(error instanceof PasserelleError && error.reason === "RESOURCE_ALREADY_EXISTS")) throw error;
    }
    return this.stubs.instances.getAttribute({ name: this.name("attributes", attribute) });
  }

  /** The type of every attribute, by id. */
  async attributeTypes(options?: CallOptions): Promise<Map<string, AttributeType>> {
    const types = new Map<string, AttributeType>();
    const request = { parent: this.instance, pageSize: 1000 };
    const list = this.stubs.instances.listAttributes;
    for await (const { name, type } of this.pages(list, request, "attributes", options)) {
      types.set(name.slice(name.lastIndexOf("/") + 1), type);
    }
    return types;
  }

  // An attribute the server does not know is sent as text: its answer names it.
  async #attributeTypes(attributes: readonly string[], { retryForMs, signal }: RunOptions): Promise<FieldTypes> {
    if (attributes.length === 0) return new Map();
    const known = await patiently(() => this.attributeTypes({ signal }), retryForMs ?? RETRY_FOR_MS, signal);
    return new Map(attributes.map((name) => [name, known.get(name) ?? AttributeType.STRING]));
  }

  async #mappedTypes(destination: string, fields: readonly string[], options: RunOptions): Promise<FieldTypes> {
    if (fields.length === 0) return new Map();
    const { retryForMs = RETRY_FOR_MS, signal } = options;
    const known = await patiently(() => this.attributeTypes({ signal }), retryForMs, signal);
    const get = { name: this.name("destinations", destination) };
    const ask = () => this.stubs.destinations.getDestination(get, { signal });
    const { mappings } = await patiently(ask, retryForMs, signal);
    const attributes = new Map(
      mappings.map(({ sourceField, target }) => [sourceField, target.case === "attribute" ? target.value : ""]),
    );
    return new Map(fields.map((field) => [field, known.get(attributes.get(field) ?? "") ?? AttributeType.STRING]));
  }
}

function makeStubs(connection: Connection, unary: UnaryCaller) {
  return {
    access: makeStub(AccessService, connection, unary),
    activation: makeStub(ActivationService, connection, unary),
    audiences: makeStub(AudienceService, connection, unary),
    audienceSync: makeStub(AudienceSyncService, connection, unary),
    audit: makeStub(AuditService, connection, unary),
    destinations: makeStub(DestinationService, connection, unary),
    instances: makeStub(InstanceService, connection, unary),
    logs: makeStub(LogService, connection, unary),
    maintenance: makeStub(MaintenanceService, connection, unary),
    privacy: makeStub(PrivacyService, connection, unary),
    profiles: makeStub(ProfileService, connection, unary),
    profileSync: makeStub(ProfileSyncService, connection, unary),
    sources: makeStub(SourceService, connection, unary),
    streams: makeStub(StreamService, connection, unary),
    suppressions: makeStub(SuppressionService, connection, unary),
  };
}
