/** Times as the service keeps them: to the microsecond, where JavaScript's Date knows milliseconds. */

import { UsageError } from "./errors.js";

const TEXT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** A moment: a number is not taken, since it could be seconds, milliseconds or microseconds. */
export type Time = Date | string | bigint;

/** A Date that keeps its microseconds, so that what was read can be written back as it was. */
export class Moment extends Date {
  /** Microseconds since 1970-01-01T00:00:00Z. */
  readonly microseconds: bigint;

  constructor(microseconds: bigint) {
    super(Number((microseconds - (((microseconds % 1000n) + 1000n) % 1000n)) / 1000n));
    this.microseconds = microseconds;
  }

  /** Of an RFC 3339 text; what is finer than a microsecond is cut off. UsageError if it is none. */
  static of(text: string): Moment {
    const [, day, time, fraction = "", zone] = TEXT.exec(text) ?? [];
    const seconds = Date.parse(`${day}T${time}${zone?.toUpperCase()}`);
    if (Number.isNaN(seconds)) throw new UsageError("got a text that is no time, wanted 2026-01-31T09:30:00Z");
    return new Moment(BigInt(seconds) * 1000n + BigInt(fraction.slice(0, 6).padEnd(6, "0")));
  }

  /** RFC 3339 in UTC, with as many digits of the second as there are. */
  override toISOString(): string {
    const micros = ((this.microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n;
    const fraction = micros.toString().padStart(6, "0").replace(/0+$/, "");
    return super.toISOString().replace(/\.\d{3}Z$/, fraction ? `.${fraction}Z` : "Z");
  }

  override toJSON(): string {
    return this.toISOString();
  }
}

/** Microseconds since 1970 of a Date, an RFC 3339 text, or a bigint of them; UsageError of anything else. */
export function toMicroseconds(time: unknown): bigint {
  if (typeof time === "bigint") return time;
  if (time instanceof Moment) return time.microseconds;
  if (typeof time === "string") return Moment.of(time).microseconds;
  if (time instanceof Date && !Number.isNaN(time.getTime())) return BigInt(time.getTime()) * 1000n;
  throw new UsageError("wanted a Date, a text such as 2026-01-31T09:30:00Z, or a bigint of microseconds");
}

const DAY_MS = 86_400_000;

/** Days since 1970 of a text such as 2026-01-31, the UTC day of a Date, or a bigint of them. */
export function toDays(day: unknown): bigint {
  if (typeof day === "bigint") return day;
  const ms = day instanceof Date ? day.getTime() : dayMs(String(day));
  if (Number.isNaN(ms)) throw new UsageError("got no day, wanted one such as 2026-01-31");
  return BigInt(Math.floor(ms / DAY_MS));
}

function dayMs(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // Date takes the 31st of April for the 1st of May.
  return !Number.isNaN(ms) && fromDays(BigInt(ms / DAY_MS)) === text ? ms : Number.NaN;
}

/** The text of a day, such as 2026-01-31. */
export function fromDays(days: bigint): string {
  return new Date(Number(days) * DAY_MS).toISOString().split("T", 1)[0] ?? "";
}

/** The fields of a google.protobuf.Timestamp. */
export function toTimestamp(time: Time): { seconds: bigint; nanos: number } {
  const micros = toMicroseconds(time);
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  return { seconds: (micros - rest) / 1_000_000n, nanos: Number(rest) * 1000 };
}
