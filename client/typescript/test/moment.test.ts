import assert from "node:assert/strict";
import { test } from "node:test";

import { UsageError } from "../src/errors.js";
import { Moment, toMicroseconds, toTimestamp } from "../src/moment.js";

test("a moment keeps its microseconds", () => {
  const moment = Moment.of("2023-11-14T22:13:20.123456Z");
  assert.equal(moment.microseconds, 1_700_000_000_123_456n);
  assert.equal(moment.getTime(), 1_700_000_000_123);
  assert.equal(moment.toISOString(), "2023-11-14T22:13:20.123456Z");
  assert.equal(JSON.stringify({ moment }), '{"moment":"2023-11-14T22:13:20.123456Z"}');
});

test("times before 1970 count downwards", () => {
  const moment = Moment.of("1969-12-31T23:59:59.999999Z");
  assert.equal(moment.microseconds, -1n);
  assert.equal(moment.toISOString(), "1969-12-31T23:59:59.999999Z");
  assert.deepEqual(toTimestamp(moment), { seconds: -1n, nanos: 999_999_000 });
});

test("zones are heeded, and what is finer than a microsecond is cut off", () => {
  assert.equal(Moment.of("2026-01-01T01:00:00.1234567+01:00").toISOString(), "2026-01-01T00:00:00.123456Z");
  assert.equal(Moment.of("2026-01-01T00:00:00Z").toISOString(), "2026-01-01T00:00:00Z");
});

test("what is no time, or could be several, is refused", () => {
  for (const text of ["yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"]) {
    assert.throws(() => Moment.of(text), UsageError);
  }
  for (const time of [0, null, {}, new Date(Number.NaN)]) assert.throws(() => toMicroseconds(time), UsageError);
});
