import assert from "node:assert/strict";
import { test } from "node:test";

import { AttributeType } from "../src/gen/passerelle/v1/instance_pb.js";
import { logEncoder, pushEncoder, recordEncoder } from "../src/rows.js";
import { Rows } from "../src/source.js";

const types = new Map([["city", AttributeType.STRING]]);

test("a row with what the stream was not opened with is refused by its offset", () => {
  const encode = recordEncoder(["external_id"], types);
  assert.throws(() => encode(7, [{ identities: { external_id: "a" } }, { identities: { emial: "x" } }]), {
    message: "record 8: 'emial' was not opened",
  });
  assert.throws(() => encode(0, [{ identities: {}, fields: { town: "x" } }]), {
    message: "record 0: 'town' was not opened",
  });
  const push = pushEncoder(["external_id"], types, ["VIP"]);
  assert.throws(() => push(0, [{ identities: {}, audience: "OTHER" }]), {
    message: "record 0: audience 'OTHER' was not opened",
  });
});

test("what an object inherits is no field of a row", () => {
  const encode = recordEncoder(["external_id"], new Map([["constructor", AttributeType.STRING]]));
  const batch = encode(0, [{ identities: { external_id: "a" }, fields: {} }]) as {
    columns: { presence: Uint8Array }[];
  };
  assert.deepEqual([...(batch.columns[0]?.presence ?? [])], [0]);
});

test("columns that no row needs are left out", () => {
  const rows = [
    { identities: { external_id: "a" }, audience: "VIP" },
    { identities: { external_id: "b" }, exited: true },
  ];
  const one = pushEncoder(["external_id"], types, ["VIP"])(0, rows) as Record<string, unknown>;
  assert.deepEqual(
    [one.audienceIndexes, one.statuses, one.qualificationTimes, one.recordKeys],
    [[], [1, 2], undefined, undefined],
  );
  const two = pushEncoder(["external_id"], types, ["NEW", "VIP"])(0, rows) as Record<string, unknown>;
  assert.deepEqual(two.audienceIndexes, [1, 0]);
});

test("texts of log rows travel as bytes, given as text or as bytes", () => {
  const encode = logEncoder();
  const bytes = new Uint8Array([0xff]);
  const batch = encode(3, [{ delivery: "d", broadlogId: 1n }, { delivery: bytes }]) as {
    rows: { delivery: Uint8Array }[];
  };
  assert.deepEqual(
    batch.rows.map((row) => [...row.delivery]),
    [[100], [255]],
  );
});

const sources = {
  array: [0, 1, 2, 3, 4, 5],
  function: (offset: number) => [0, 1, 2, 3, 4, 5].slice(offset),
  iterable: new Set([0, 1, 2, 3, 4, 5]),
  asynchronous: (async function* () {
    yield* [0, 1, 2, 3, 4, 5];
  })(),
};

for (const [kind, source] of Object.entries(sources)) {
  test(`rows of a source that is ${kind} come from an offset on, and again until they are durable`, async () => {
    const rows = new Rows<number>(source);
    await rows.seek(2);
    assert.deepEqual(await rows.take(2), { first: 2, rows: [2, 3] });
    assert.deepEqual(await rows.take(2), { first: 4, rows: [4, 5] });
    await rows.seek(3);
    assert.deepEqual(await rows.take(2), { first: 3, rows: [3, 4] });
    rows.forget(5);
    assert.deepEqual(await rows.take(9), { first: 5, rows: [5] });
    assert.deepEqual(await rows.take(9), { first: 6, rows: [] });
    assert.equal(rows.end, 6);
  });
}

test("a source that is shorter than the stream ends where it ends", async () => {
  for (const source of [[0, 1], new Set([0, 1])]) {
    const rows = new Rows<number>(source);
    await rows.seek(5);
    assert.deepEqual((await rows.take(2)).rows, []);
    assert.equal(rows.end, 2);
  }
});
