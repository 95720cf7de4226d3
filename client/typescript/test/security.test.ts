import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { connect, UsageError } from "../src/index.js";
import { isLocal, keyFor, orFromEnvironment } from "../src/security.js";

const folder = mkdtempSync(join(tmpdir(), "passerelle-security-"));
after(() => rmSync(folder, { recursive: true }));
const KEY = "psk.abc.s3cret";

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("only what cannot leave this machine is local", () => {
  const local = [
    ...[
      "127.0.0.1:1",
      "127.9.9.9:1",
      "localhost:1",
      "LOCALHOST",
      "[::1]:1",
      "::1",
      "dns:localhost:1",
      "dns:///localhost:1",
    ],
    ...["ipv4:127.0.0.1:1,127.0.0.2:1", "ipv6:[::1]:1", "unix:/run/a.sock", "unix:a.sock", "[0:0:0:0:0:0:0:1]:1"],
  ];
  const elsewhere = [
    ...[
      "10.0.0.1:1",
      "example.com:1",
      "localhost.example.com:1",
      "127.0.0.1.example.com:1",
      "ipv4:127.0.0.1:1,10.0.0.1:1",
    ],
    ...[
      "dns://10.0.0.1/localhost:1",
      "[::ffff:127.0.0.1]:1",
      "[2001:db8::1]:1",
      "xds:///localhost",
      "",
      "127.1:1",
      "0.0.0.0:1",
    ],
  ];
  for (const target of local) assert(isLocal(target), target);
  for (const target of elsewhere) assert(!isLocal(target), target);
});

test("a key is not sent to another machine in plaintext", () => {
  assert.throws(() => connect("cdp.example.com:7701", { key: KEY }), { name: "UsageError", message: /in plaintext/ });
  assert.equal(keyFor("127.0.0.1:7701", { key: KEY }), KEY);
  assert.equal(keyFor("cdp.example.com:7701", { key: KEY, ca: "ca.pem" }), KEY);
});

test("what is no key is refused, and not shown", () => {
  const keys = ["hunter2", "psk.abc", "psk..x", "psk.a b.c", "psk.a.b\n.c", `psk.a.${"x".repeat(512)}`];
  for (const key of keys) {
    assert.throws(
      () => keyFor("127.0.0.1:1", { key }),
      (error: Error) => error instanceof UsageError && !error.message.includes(key),
    );
  }
});

test("a key file is read once and trimmed; an empty or missing one is refused", () => {
  assert.equal(keyFor("127.0.0.1:1", { keyFile: file("key", `${KEY}\n`) }), KEY);
  assert.throws(() => keyFor("127.0.0.1:1", { keyFile: file("empty", "\n") }), /is empty/);
  assert.throws(() => keyFor("127.0.0.1:1", { keyFile: join(folder, "none") }), UsageError);
  assert.throws(() => keyFor("127.0.0.1:1", { key: KEY, keyFile: file("key", KEY) }), /one of the two/);
});

test("files that are no certificates are refused before any call", () => {
  const text = file("text.pem", "no certificate\n");
  assert.throws(() => connect("127.0.0.1:1", { ca: text }), /is not PEM/);
  assert.throws(() => connect("127.0.0.1:1", { ca: join(folder, "none.pem") }), UsageError);
  assert.throws(() => connect("127.0.0.1:1", { ca: "system", cert: text }), /wanted both/);
  const broken = file("broken.pem", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
  assert.throws(() => connect("127.0.0.1:1", { ca: broken }), UsageError);
});

test("the environment says what the options do not, a key before a key file", () => {
  const names = ["PASSERELLE_API_KEY", "PASSERELLE_API_KEY_FILE", "PASSERELLE_CA_FILE"];
  for (const name of names) process.env[name] = name;
  try {
    const found = orFromEnvironment({});
    assert.deepEqual([found.key, found.keyFile, found.ca], ["PASSERELLE_API_KEY", undefined, "PASSERELLE_CA_FILE"]);
    const given = orFromEnvironment({ keyFile: "own", ca: "own.pem" });
    assert.deepEqual([given.key, given.keyFile, given.ca], [undefined, "own", "own.pem"]);
    connect("127.0.0.1:1").close(); // with an address nothing is read from it
    assert.throws(() => connect(), UsageError);
  } finally {
    for (const name of names) delete process.env[name];
  }
});
