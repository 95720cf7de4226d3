/** What the conformance suite does not ask: the idioms of this language, against a live server. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { type Client, connect, PasserelleError } from "passerelle";
import { TestServer } from "passerelle/testing";
import { AudienceService, Destination_SyncType, LogKind } from "passerelle/v1";

const EXAMPLE = fileURLToPath(import.meta.resolve("../../examples/three_flows.js"));
let server: TestServer;
let client: Client;

before(async () => {
  server = await TestServer.start();
  client = connect(server.address);
});
after(async () => {
  client.close();
  assert.equal(await server.stop(), 0);
});

test("the example runs, and can be run again", () => {
  for (let run = 0; run < 2; run++) {
    const done = spawnSync(process.execPath, [EXAMPLE, server.address], { encoding: "utf8", timeout: 60_000 });
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stdout, /synced: \{ NOT_FOUND: 1, UPDATED: 2 \}/);
    assert.equal(done.stdout.split("exported:").length, 2);
  }
});

test("a stub and call() are the same, and lists go page by page", async () => {
  for (const audienceId of ["one", "two", "three"]) {
    await client.stubs.audiences.createAudience({ parent: client.instance, audienceId, audience: {} });
  }
  const names: string[] = [];
  const request = { parent: client.instance, pageSize: 1 };
  for await (const audience of client.pages(client.stubs.audiences.listAudiences, request, "audiences")) {
    names.push(audience.name.slice(client.name("audiences", "").length));
  }
  assert.deepEqual(
    names.filter((name) => !name.startsWith("demo-")),
    ["one", "three", "two"],
  );
  const asked = { name: client.name("audiences", "one") };
  const got = await client.stubs.audiences.getAudience(asked);
  assert.deepEqual(await client.call(AudienceService.method.getAudience, asked), got);
});

test("a bidi stub takes any iterable of requests, and throws what that throws", async () => {
  const open = { parent: client.instance, stream: { stream: "by-hand" } };
  async function* requests() {
    yield { message: { case: "open" as const, value: open } };
    yield { message: { case: "finish" as const, value: { totalRecords: 0n } } };
  }
  const cases = [];
  for await (const { message } of client.stubs.logs.appendLogs(requests())) cases.push(message.case);
  assert.deepEqual(cases, ["opened", "finished"]);

  async function* broken() {
    yield { message: { case: "open" as const, value: open } };
    throw new RangeError("of the caller");
  }
  await assert.rejects(async () => {
    for await (const _ of client.stubs.logs.appendLogs(broken()));
  }, RangeError);
});

test("leaving the loop ends an export that follows, and aborting it too", async () => {
  const delivery = { parent: client.instance, deliveryId: "followed", delivery: { channel: "email" } };
  await client.stubs.logs.createDelivery(delivery);
  await client.appendLogs([{ kind: LogKind.DELIVERY, delivery: "followed", broadlogId: 1n, status: 1 }]);
  const options = { follow: true, filter: { deliveries: ["followed"] } };
  let rows = 0;
  for await (const batch of client.exportLogs(options)) {
    rows += batch.rows.length;
    if (rows > 0) break;
  }
  assert.equal(rows, 1);

  const controller = new AbortController();
  await assert.rejects(
    async () => {
      for await (const batch of client.exportLogs({ ...options, signal: controller.signal })) {
        if (batch.rows.length > 0) controller.abort();
      }
    },
    (error) => error instanceof PasserelleError && error.code === "CANCELLED",
  );
});

test("a call that was aborted before it began is not made", async () => {
  const options = { signal: AbortSignal.abort() };
  await assert.rejects(client.stubs.instances.getInstance({ name: client.instance }, options), { code: "CANCELLED" });
  const rows = [{ identities: { external_id: "aborted" } }];
  await assert.rejects(client.importProfiles(rows, { ...options, identities: ["external_id"] }), {
    code: "CANCELLED",
  });
  const identity = { namespace: "external_id", value: "aborted" };
  await assert.rejects(client.stubs.profiles.lookupProfile({ parent: client.instance, identity }), {
    code: "NOT_FOUND",
  });
});

test("rows from a generator are closed when the ingest fails", async () => {
  let closed = false;
  async function* rows() {
    try {
      for (;;) yield { identities: { nobody_opened: "x" } };
    } finally {
      closed = true;
    }
  }
  await assert.rejects(client.importProfiles(rows(), { identities: ["external_id"] }), { name: "UsageError" });
  assert(closed);
});

test("rows as wide as they may be are cut to what the server takes", async () => {
  await client.createAttribute("wide", "STRING");
  const rows = Array.from({ length: 1000 }, (_, i) => ({
    identities: { external_id: `wide-${i}` },
    fields: { wide: "x".repeat(8000) },
  }));
  const options = { identities: ["external_id"], fields: ["wide"], stream: "wide" };
  assert.deepEqual((await client.importProfiles(rows, options)).counts, { CREATED: 1000 });
});

for (const sync of ["PROFILE_SYNC", "AUDIENCE_SYNC"] as const) {
  test(`fields that are mapped to another type are read anew: ${sync}`, async () => {
    await client.createAttribute("town", "STRING");
    await client.createAttribute("age", "INT64");
    const destinationId = `remapped-${sync === "PROFILE_SYNC" ? "sync" : "push"}`;
    const name = client.name("destinations", destinationId);
    const mapped = (value: string) => [{ sourceField: "field", target: { case: "attribute" as const, value } }];
    const audiences = sync === "AUDIENCE_SYNC" ? [{ sourceId: "vip" }] : [];
    const destination = { syncType: Destination_SyncType[sync], mappings: mapped("town"), audiences };
    await client.stubs.destinations.createDestination({ parent: client.instance, destinationId, destination });
    async function* rows() {
      for (let i = 0; i < 6; i++) {
        // The rows before are sent.
        if (i === 3) {
          const changed = { name, mappings: mapped("age") };
          await client.stubs.destinations.updateDestination({
            destination: changed,
            updateMask: { paths: ["mappings"] },
          });
        }
        yield { identities: { external_id: `remapped-${i}` }, fields: { field: `${i}` } };
      }
    }
    const options = { identities: ["external_id"], fields: ["field"], stream: destinationId, batchRecords: 1 };
    const result =
      sync === "AUDIENCE_SYNC"
        ? await client.pushMembers(destinationId, rows(), { ...options, audiences: ["vip"] })
        : await client.syncProfiles(destinationId, rows(), options);
    assert.deepEqual([result.reconnects, result.totals], [1, { NOT_FOUND: 6 }]);
  });
}

test("a log row that cannot be sent is named", async () => {
  const row = { kind: LogKind.DELIVERY, delivery: "d", broadlogId: 1n, failureReason: 1.5 };
  await assert.rejects(client.appendLogs([row]), { name: "UsageError", message: /^record 0: .*failure_reason/ });
});

test("a client that is closed says so", async () => {
  const closed = connect(server.address);
  await closed.stubs.instances.getInstance({ name: closed.instance });
  closed.close();
  const wanted = { name: "UsageError", message: "the client is closed" };
  await assert.rejects(closed.stubs.instances.getInstance({ name: closed.instance }), wanted);
  await assert.rejects(closed.importProfiles([], { identities: ["external_id"], stream: "closed" }), wanted);
  await assert.rejects(closed.exportLogs().next(), wanted);
});

test("a program that forgets to close ends all the same", () => {
  const program = `import { connect } from "passerelle";
    const client = connect("${server.address}");
    await client.stubs.instances.getInstance({ name: client.instance });`;
  const done = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 60_000,
    cwd: fileURLToPath(import.meta.resolve("../../..")),
  });
  assert.equal(done.status, 0, done.stderr);
});

test("a test server goes on with the data of the one before", async () => {
  const folder = mkdtempSync(join(tmpdir(), "passerelle-data-"));
  const options = { data: join(folder, "data") };
  try {
    const first = await TestServer.start(options);
    await connect(first.address).importProfiles([{ identities: { external_id: "kept" } }], {
      identities: ["external_id"],
    });
    await first.kill();
    const second = await TestServer.start(options);
    const again = connect(second.address);
    const identity = { namespace: "external_id", value: "kept" };
    const { name } = await again.stubs.profiles.lookupProfile({ parent: again.instance, identity });
    assert.match(name, /^instances\/default\/profiles\//);
    again.close();
    assert.equal(await second.stop(), 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a test server that nobody stopped ends with its program", async () => {
  const program = `import { TestServer } from "passerelle/testing";
    console.log((await TestServer.start()).address);
    process.exit();`;
  const done = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 60_000,
    cwd: fileURLToPath(import.meta.resolve("../../..")),
  });
  assert.equal(done.status, 0, done.stderr);
  const [host, port] = done.stdout.trim().split(":");
  const serves = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = createConnection(Number(port), host);
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  const patience = performance.now() + 60_000;
  while (await serves()) assert(performance.now() < patience, `${done.stdout} serves still`);
});

test("a server that does not start, or is not there, says why", async () => {
  await assert.rejects(
    TestServer.start({ args: ["--no-such-option"] }),
    /did not start: exit code \d+[^]*no-such-option/,
  );
  const there = process.env.PASSERELLE_BIN;
  process.env.PASSERELLE_BIN = join(tmpdir(), "nowhere");
  try {
    await assert.rejects(TestServer.start(), /did not start: .*nowhere.* ENOENT/);
  } finally {
    if (there === undefined) delete process.env.PASSERELLE_BIN;
    else process.env.PASSERELLE_BIN = there;
  }
});
