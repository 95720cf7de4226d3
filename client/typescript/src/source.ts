/** Rows by offset, read as far as they are needed and kept until they are durable. */

/**
 * The rows of an ingest: an array; a function that gives an iterable from an offset on; or any iterable, also an
 * asynchronous one, that gives the same rows again in every run (its first rows are read over when the stream already
 * has them).
 */
export type Source<R> = readonly R[] | ((offset: number) => AnyIterable<R>) | AnyIterable<R>;

type AnyIterable<R> = Iterable<R> | AsyncIterable<R>;
type AnyIterator<R> = Iterator<R> | AsyncIterator<R>;

/** Rows from an offset on, with those not acknowledged yet kept for sending again. Of one ingest at a time. */
export class Rows<R> {
  readonly #source: Source<R>;
  #rows: AnyIterator<R> | undefined;
  #kept: R[] = [];
  #start = 0; // offset of the first kept row
  #next = 0; // offset of the next row to give

  constructor(source: Source<R>) {
    this.#source = source;
  }

  /** The offset after the last row read so far. */
  get end(): number {
    return this.#start + this.#kept.length;
  }

  /** Gives rows from `offset` on next. */
  async seek(offset: number): Promise<void> {
    this.#rows ??= await this.#begin(offset);
    this.forget(offset);
    this.#next = offset;
  }

  async #begin(offset: number): Promise<AnyIterator<R>> {
    this.#start = offset;
    if (typeof this.#source === "function") return iteratorOf(this.#source(offset));
    if (Array.isArray(this.#source)) {
      this.#start = Math.min(offset, this.#source.length);
      return this.#source.slice(offset)[Symbol.iterator]();
    }
    const rows = iteratorOf(this.#source as AnyIterable<R>);
    for (this.#start = 0; this.#start < offset; this.#start++) {
      if ((await rows.next()).done) break;
    }
    return rows;
  }

  /** The offset of the next rows, and at most `limit` of them. */
  async take(limit: number): Promise<{ first: number; rows: R[] }> {
    const first = this.#next;
    while (this.end < first + limit) {
      const step = await this.#rows?.next();
      if (!step || step.done) break;
      this.#kept.push(step.value);
    }
    const index = first - this.#start;
    const rows = index >= 0 ? this.#kept.slice(index, index + limit) : [];
    this.#next = first + rows.length;
    return { first, rows };
  }

  /** Gives rows from `offset` on once more; they were taken and not sent. */
  giveBack(offset: number): void {
    this.#next = offset;
  }

  /** Rows before `offset` are durable. */
  forget(offset: number): void {
    const count = Math.min(Math.max(offset - this.#start, 0), this.#kept.length);
    this.#kept.splice(0, count);
    this.#start += count;
  }

  /** No more rows are asked for: what they come from, a file perhaps, may be closed. */
  async close(): Promise<void> {
    await this.#rows?.return?.();
  }
}

function iteratorOf<R>(rows: AnyIterable<R>): AnyIterator<R> {
  return Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
}
