/** The steps, each by what the client has for it. */

import {
  type DescMessage,
  type DescMethodUnary,
  type DescService,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { type Client, connect, type IngestResult, type LogRow, PasserelleError, type Row, VERSION } from "passerelle";
import * as v1 from "passerelle/v1";

/** One request of the driver; which keys there are depends on `op`. */
export interface Step {
  id: number;
  op: string;
  [key: string]: unknown;
}

const SERVICES = new Map(
  (Object.values(v1) as { kind?: string; typeName?: string }[])
    .filter((value) => value.kind === "service")
    .map((value) => [value.typeName, value as unknown as DescService]),
);
const OPTIONS: Record<string, string> = {
  cert_key: "certKey",
  key_file: "keyFile",
  server_name: "serverName",
  batch_records: "batchRecords",
  retry_for_ms: "retryForMs",
  max_refused_percent: "maxRefusedPercent",
  max_batch_rows: "maxBatchRows",
};

/** Those of the step's optional keys that are there, under the names that the client has for them. */
function chosen(step: Step, ...names: string[]): Record<string, never> {
  const there = names.filter((name) => step[name] !== undefined && step[name] !== null);
  return Object.fromEntries(there.map((name) => [OPTIONS[name] ?? name, step[name]])) as Record<string, never>;
}

/** The clients of one runner. */
export class Session {
  readonly #clients = new Map<string, Client>();
  readonly #steps: Record<string, (step: Step, signal: AbortSignal) => object | Promise<object>> = {
    hello: () => ({ language: "typescript", client: VERSION }),
    connect: (step) => this.#connect(step),
    close: (step) => this.#close(step),
    call: (step, signal) => this.#call(step, signal),
    pages: (step, signal) => this.#pages(step, signal),
    create_attribute: (step) => this.#createAttribute(step),
    ingest: (step, signal) => this.#ingest(step, signal),
    export: (step, signal) => this.#export(step, signal),
    members: (step, signal) => this.#members(step, signal),
  };

  /** What is `ok`; undefined for a step that nobody knows. */
  async do(step: Step, signal: AbortSignal): Promise<object | undefined> {
    const action = Object.hasOwn(this.#steps, step.op) ? this.#steps[step.op] : undefined;
    return action?.(step, signal);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #client(step: Step): Client {
    const client = this.#clients.get((step.client as string) ?? "main");
    if (!client) throw new Error(`no client '${step.client}'`);
    return client;
  }

  #connect(step: Step): object {
    this.#close(step);
    const before = { ...process.env };
    try {
      for (const [name, value] of Object.entries((step.env as Record<string, string | null>) ?? {})) {
        if (value === null) delete process.env[name];
        else process.env[name] = value;
      }
      const options = chosen(step, "instance", "ca", "cert", "cert_key", "server_name", "key", "key_file");
      this.#clients.set((step.client as string) ?? "main", connect((step.target as string) ?? undefined, options));
    } finally {
      for (const name of Object.keys(process.env)) delete process.env[name];
      Object.assign(process.env, before);
    }
    return {};
  }

  #close(step: Step): object {
    const name = (step.client as string) ?? "main";
    this.#clients.get(name)?.close();
    this.#clients.delete(name);
    return {};
  }

  async #call(step: Step, signal: AbortSignal): Promise<object> {
    const { method, request } = methodOf(step);
    const options = { signal, ...(step.timeout_ms ? { timeoutMs: step.timeout_ms as number } : {}) };
    return { response: asJson(method.output, await this.#client(step).call(method, request, options)) };
  }

  async #pages(step: Step, signal: AbortSignal): Promise<object> {
    const { method, request } = methodOf(step);
    const field = method.output.fields.find(({ name }) => name === step.items);
    const schema = field?.fieldKind === "list" ? field.message : undefined;
    if (!field || !schema) throw new Error(`${method.name} has no list of messages '${step.items}'`);
    const client = this.#client(step);
    const list = (page: Message) => client.call(method, page, { signal }) as Promise<never>;
    const items = [];
    for await (const item of client.pages(list, request, field.localName as never)) items.push(asJson(schema, item));
    return { items };
  }

  async #createAttribute(step: Step): Promise<object> {
    const consent = step.consent ? fromJson(v1.ConsentSchema, step.consent as JsonValue) : undefined;
    const type = step.type as keyof typeof v1.AttributeType;
    const made = await this.#client(step).createAttribute(step.attribute as string, type, consent);
    return { type: v1.AttributeType[made.type] ?? String(made.type) };
  }

  async #ingest(step: Step, signal: AbortSignal): Promise<object> {
    const client = this.#client(step);
    const options = { ...chosen(step, "stream", "batch_records", "retry_for_ms"), signal };
    if (step.kind === "append") return ingestAnswer(await client.appendLogs(logRows(step), options));
    const identities = (step.identities as string[]) ?? [];
    const recordOptions = { ...options, identities, fields: (step.fields as string[]) ?? [] };
    const [destination, rows] = [step.destination as string, recordRows(step)];
    if (step.kind === "import") return ingestAnswer(await client.importProfiles(rows, recordOptions));
    if (step.kind === "sync") return ingestAnswer(await client.syncProfiles(destination, rows, recordOptions));
    const push = { audiences: (step.audiences as string[]) ?? [], ...chosen(step, "replace", "max_refused_percent") };
    return ingestAnswer(await client.pushMembers(destination, rows, { ...recordOptions, ...push }));
  }

  async #export(step: Step, signal: AbortSignal): Promise<object> {
    const user = new AbortController();
    const names = ["source", "consumer", "cursor", "fields", "follow", "max_batch_rows", "retry_for_ms"];
    const options = {
      ...chosen(step, ...names),
      ...(step.filter ? { filter: fromJson(v1.LogFilterSchema, step.filter as JsonValue) } : {}),
      signal: AbortSignal.any([signal, user.signal]),
    };
    const answer = { rows: [] as object[], batches: 0, cursor: "", cancelled: false };
    const after = step.cancel_after_ms as number | undefined;
    const timer = after === undefined ? undefined : setTimeout(() => user.abort(), after);
    try {
      for await (const batch of this.#client(step).exportLogs(options)) {
        answer.cursor = batch.cursor;
        if (batch.rows.length === 0) continue;
        answer.rows.push(...batch.records());
        answer.batches += 1;
        if (step.acknowledge) await batch.acknowledge();
        if (answer.batches === step.stop_after_batches) break;
      }
    } catch (error) {
      answer.cancelled = user.signal.aborted && error instanceof PasserelleError && error.code === "CANCELLED";
      if (!answer.cancelled) throw error;
    } finally {
      clearTimeout(timer);
    }
    return answer;
  }

  async #members(step: Step, signal: AbortSignal): Promise<object> {
    const names = ["purpose", "attributes", "identities", "mandatory", "since", "retry_for_ms"];
    const options = { ...chosen(step, ...names), signal };
    const stream = this.#client(step).streamMembers(step.audience as string, step.channel as string, options);
    const members = [];
    for await (const { identities, attributes, change } of stream) members.push({ identities, attributes, change });
    return { members, end_token: stream.endToken, excluded: stream.excluded };
  }
}

function asJson(schema: DescMessage, message: Message): JsonValue {
  return toJson(schema, message, { useProtoFieldName: true });
}

function methodOf(step: Step): { method: DescMethodUnary; request: Message } {
  const [service = "", name] = (step.method as string).split("/");
  const method = SERVICES.get(service)?.methods.find((found) => found.name === name);
  if (method?.methodKind !== "unary") throw new Error(`no unary method ${step.method}`);
  const request = { ...(step.request as JsonObject | undefined) };
  // The JSON of a field mask has one spelling only.
  for (const key of ["update_mask", "updateMask"]) {
    const mask = request[key];
    if (typeof mask === "string")
      request[key] = mask.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  }
  return { method: method as DescMethodUnary, request: fromJson(method.input, request) };
}

interface Generate {
  count: number;
  prefix: string;
  first?: number;
}

function* numbers({ count, first = 0 }: Generate): Generator<number> {
  for (let i = first; i < first + count; i++) yield i;
}

function recordRows(step: Step): Row[] {
  if (step.rows) return (step.rows as JsonObject[]).map(recordRow);
  const generate = step.generate as Generate;
  const audience = (step.audiences as string[] | undefined)?.[0];
  const all = (names: unknown, text: string): Record<string, string> =>
    Object.fromEntries(((names as string[]) ?? []).map((name) => [name, text]));
  return Array.from(numbers(generate), (i) => {
    const text = `${generate.prefix}${i}`;
    const row = { identities: all(step.identities, text), fields: all(step.fields, text) };
    return audience === undefined ? row : { ...row, audience };
  });
}

function recordRow(json: JsonObject): Row {
  const { record_key: recordKey, event_time: eventTime, qualification_time: qualificationTime, ...same } = json;
  return { ...same, recordKey, eventTime, qualificationTime } as unknown as Row;
}

function logRows(step: Step): LogRow[] {
  if (step.rows) return (step.rows as JsonValue[]).map((row) => fromJson(v1.LogEntrySchema, row));
  const generate = step.generate as Generate;
  return Array.from(numbers(generate), (i) => ({
    kind: v1.LogKind.DELIVERY,
    delivery: generate.prefix,
    broadlogId: BigInt(i + 1),
    status: v1.DeliveryStatus.SENT,
    identityNamespace: "external_id",
    identity: `${generate.prefix}${i}`,
  }));
}

function ingestAnswer(result: IngestResult): object {
  const rows = result.rows.map((row) => ({
    ...(asJson(v1.RowOutcomeSchema, row) as JsonObject),
    offset: row.offset,
    outcome: v1.Outcome[row.outcome] ?? String(row.outcome),
    reason: row.reason ? (v1.RowReason[row.reason] ?? String(row.reason)) : undefined,
  }));
  const { totalRecords, received, alreadyKnown, reconnects, counts, totals, commitToken } = result;
  const named = { total_records: totalRecords, already_known: alreadyKnown, commit_token: commitToken };
  return { ...named, received, reconnects, counts, totals, rows };
}
