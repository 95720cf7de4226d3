import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode, toBytes } from "../src/columns.js";
import { UsageError } from "../src/errors.js";
import { AttributeType } from "../src/gen/passerelle/v1/instance_pb.js";
import { Moment } from "../src/moment.js";

const { STRING, INT64, DOUBLE, BOOL, TIMESTAMP, DATE, STRING_LIST } = AttributeType;

test("absent, null and value are told apart by presence", () => {
  const column = encode(["a", null, undefined, ""], STRING);
  assert.deepEqual([...column.presence], [2, 1, 0, 2]);
  assert.deepEqual(
    column.texts.map((text) => [...text]),
    [[97], []],
  );
  assert.deepEqual(decode(column, 4, STRING), ["a", undefined, undefined, ""]);
});

test("a column in which every record has a value has no presence", () => {
  assert.equal(encode([1n, 2n], INT64).presence.length, 0);
});

test("every type comes out as it went in", () => {
  const moment = new Moment(1_700_000_000_123_456n);
  const cases: [AttributeType, unknown, unknown][] = [
    [STRING, 'É, "q"\n', 'É, "q"\n'],
    [INT64, -(2n ** 63n), -(2n ** 63n)],
    [INT64, "+42", 42n],
    [INT64, 7, 7n],
    [DOUBLE, -0.5, -0.5],
    [DOUBLE, "1.5e3", 1500],
    [BOOL, false, false],
    [TIMESTAMP, moment, moment],
    [TIMESTAMP, moment.toISOString(), moment],
    [DATE, "2024-02-29", "2024-02-29"],
    [DATE, "1969-12-31", "1969-12-31"],
    [DATE, new Date("2024-02-29T23:59:59Z"), "2024-02-29"],
    [STRING_LIST, ["a", "", "ü"], ["a", "", "ü"]],
  ];
  for (const [type, given, wanted] of cases) assert.deepEqual(decode(encode([given], type), 1, type), [wanted]);
});

test("a value that does not fit its type names its record, and not itself", () => {
  const cases: [AttributeType, unknown][] = [
    [INT64, "secret"],
    [INT64, 1.5],
    [INT64, 2n ** 63n],
    [INT64, true],
    [DOUBLE, "secret"],
    [DOUBLE, ""],
    [BOOL, "true"],
    [BOOL, 1],
    [STRING, ["secret"]],
    [TIMESTAMP, 1_700_000_000],
    [TIMESTAMP, new Date("never")],
    [DATE, "2024-02-30"],
    [DATE, "01/02/2024"],
    [TIMESTAMP, "2024-01-01"],
    [STRING_LIST, "secret"],
  ];
  for (const [type, value] of cases) {
    assert.throws(
      () => encode([null, value], type, "age", 40),
      (error: Error) =>
        error instanceof UsageError &&
        error.message.startsWith("record 41, age: ") &&
        // Values are personal data.
        !/secret|2024/.test(error.message),
    );
  }
});

test("what is not finite goes to the server, which refuses the row", () => {
  assert.deepEqual(encode([Number.NaN, "nan", Infinity], DOUBLE).doubles, [Number.NaN, Number.NaN, Infinity]);
});

test("bytes go as they are, and a lone surrogate as no character at all", () => {
  assert.deepEqual(toBytes(new Uint8Array([0xff, 0xfe])), new Uint8Array([0xff, 0xfe]));
  assert.equal(Buffer.from(toBytes("a\ud800é")).toString("hex"), "61eda080c3a9");
  assert.equal(Buffer.from(toBytes("\u{1f600}")).toString("hex"), "f09f9880");
});

test("a type of a newer server is sent as text, and its values are not read", () => {
  const newer = 99 as AttributeType;
  assert.equal(encode(["a"], newer).texts.length, 1);
  assert.deepEqual(decode(encode([1n, 2n], INT64), 2, newer), [undefined, undefined]);
});
