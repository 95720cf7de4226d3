/** Values of JavaScript to columns of the wire and back. */

import { create } from "@bufbuild/protobuf";

import { UsageError } from "./errors.js";
import { type Column, ColumnSchema, type TextList, TextListSchema } from "./gen/passerelle/v1/ingest_pb.js";
import { AttributeType } from "./gen/passerelle/v1/instance_pb.js";
import { fromDays, Moment, type Time, toDays, toMicroseconds } from "./moment.js";

const ABSENT = 0;
const NULL = 1;
const VALUE = 2;
const SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** A text, or its bytes where they may not be UTF-8: then the server refuses the row, and no other. */
export type Text = string | Uint8Array;

/**
 * A value to write: text for STRING; bigint, whole number or digits for INT64; number for DOUBLE; boolean; a Time for
 * TIMESTAMP; a text such as 2026-01-31 or a Date for DATE; texts for STRING_LIST. null is null.
 */
export type Value = Text | number | bigint | boolean | Time | readonly Text[] | null;

/** A value that was read: INT64 is a bigint, TIMESTAMP a Moment, DATE a text such as 2026-01-31. */
export type ReadValue = string | bigint | number | boolean | Moment | string[];

/**
 * A text as the bytes to send. A lone surrogate goes as it is, not as another character: the server refuses the row.
 */
export function toBytes(text: unknown): Uint8Array {
  if (text instanceof Uint8Array) return text;
  const value = String(text);
  if (!SURROGATE.test(value)) return Buffer.from(value, "utf8");
  return Buffer.concat(
    Array.from(value, (character) => (SURROGATE.test(character) ? wtf8(character) : Buffer.from(character))),
  );
}

function wtf8(surrogate: string): Buffer {
  const code = surrogate.charCodeAt(0);
  return Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]);
}

function toInteger(value: unknown): bigint {
  const digits = typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value);
  const whole = typeof value === "number" && Number.isSafeInteger(value);
  if (typeof value !== "bigint" && !digits && !whole)
    throw new UsageError(`got ${shown(value)}, wanted a whole number`);
  return BigInt(typeof value === "string" ? value.replace("+", "") : (value as number | bigint));
}

function toDouble(value: unknown): number {
  if (typeof value === "number") return value;
  const number =
    typeof value === "bigint" || (typeof value === "string" && value.trim() !== "") ? Number(value) : Number.NaN;
  if (Number.isNaN(number) && value !== "nan" && value !== "NaN")
    throw new UsageError(`got ${shown(value)}, wanted a number`);
  return number;
}

function toBoolean(value: unknown): boolean {
  if (typeof value !== "boolean") throw new UsageError(`got ${shown(value)}, wanted true or false`);
  return value;
}

function toText(value: unknown): Uint8Array {
  if (typeof value === "object" && !(value instanceof Uint8Array))
    throw new UsageError(`got ${shown(value)}, wanted a text`);
  return toBytes(value);
}

function toList(value: unknown): TextList {
  if (!Array.isArray(value)) throw new UsageError(`got ${shown(value)}, wanted an array of texts`);
  return create(TextListSchema, { values: value.map(toText) });
}

// Values are personal data: of one, an error tells the kind only.
function shown(value: unknown): string {
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}

function inRange(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new UsageError("wanted a number of 64 bits");
  return value;
}

interface Wire {
  /** Which of a column's lists. */
  list: "texts" | "integers" | "doubles" | "bools" | "lists";
  encode(value: unknown): unknown;
  decode(wire: never): ReadValue;
}

const decodeText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
const TEXT: Wire = { list: "texts", encode: toText, decode: decodeText };
const WIRES: Partial<Record<AttributeType, Wire>> = {
  [AttributeType.STRING]: TEXT,
  [AttributeType.INT64]: { list: "integers", encode: (v) => inRange(toInteger(v)), decode: (v: bigint) => v },
  [AttributeType.DOUBLE]: { list: "doubles", encode: toDouble, decode: (v: number) => v },
  [AttributeType.BOOL]: { list: "bools", encode: toBoolean, decode: (v: boolean) => v },
  [AttributeType.TIMESTAMP]: {
    list: "integers",
    encode: (v) => inRange(toMicroseconds(v)),
    decode: (v: bigint) => new Moment(v),
  },
  [AttributeType.DATE]: { list: "integers", encode: (v) => inRange(toDays(v)), decode: fromDays },
  [AttributeType.STRING_LIST]: { list: "lists", encode: toList, decode: (v: TextList) => v.values.map(decodeText) },
};

// A type of a newer server is sent as text: the server's answer names the field.
const wireOf = (type: AttributeType): Wire => WIRES[type] ?? TEXT;

/**
 * One column out of one value for each record: null is null, undefined is absent. UsageError names the record by its
 * offset, and `what`, if a value does not convert to the type.
 */
export function encode(values: readonly unknown[], type: AttributeType, what = "column", offset = 0): Column {
  const wire = wireOf(type);
  const column = create(ColumnSchema);
  const presence = new Uint8Array(values.length);
  const out = column[wire.list] as unknown[];
  values.forEach((value, index) => {
    presence[index] = value === undefined ? ABSENT : value === null ? NULL : VALUE;
    if (presence[index] !== VALUE) return;
    try {
      out.push(wire.encode(value));
    } catch (error) {
      throw new UsageError(`record ${offset + index}, ${what}: ${(error as Error).message}`, { cause: error });
    }
  });
  if (out.length < values.length) column.presence = presence;
  return column;
}

/** One value for each record of a column; undefined where there is none, or one of a type that only newer clients know. */
export function decode(column: Column, records: number, type: AttributeType): (ReadValue | undefined)[] {
  const wire = wireOf(type);
  const dense = column[wire.list] as never[];
  let next = 0;
  return Array.from({ length: records }, (_, index) => {
    const there = next < dense.length && (column.presence.length === 0 || column.presence[index] === VALUE);
    return there ? wire.decode(dense[next++] as never) : undefined;
  });
}
