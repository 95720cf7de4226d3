/** How long and how often a loop tries again. */

import { setTimeout as sleep } from "node:timers/promises";

import { PasserelleError } from "./errors.js";

/** How long a loop goes on without progress, unless it is told otherwise. */
export const RETRY_FOR_MS = 60_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 3_000;

/** What else decides whether there is another try. */
export interface Retry {
  /** False: what failed cannot be made again. */
  repeatable?: boolean;
  /** No try begins after this time, of performance.now(). */
  deadline?: number;
  /** Whose caller may have had enough. */
  signal?: AbortSignal | undefined;
}

/**
 * Of one loop: gives up when tries have failed for `retryForMs` and nothing got on. However long a connection was
 * silent before it failed, there is another try.
 */
export class Patience {
  readonly #retryForMs: number;
  #failingSince: number | undefined;
  #delayMs = FIRST_DELAY_MS;

  constructor(retryForMs: number) {
    this.#retryForMs = retryForMs;
  }

  /** Something got on: the next failure counts as the first, and the wait after it is short. */
  progressed(): void {
    this.#failingSince = undefined;
    this.#delayMs = FIRST_DELAY_MS;
  }

  /** Waits before the next try, at least as long as the server asks; throws the error if there is to be none. */
  async wait(error: unknown, retry: Retry = {}): Promise<void> {
    const delay = this.decide(error, performance.now(), retry);
    try {
      await sleep(delay, undefined, { signal: retry.signal });
    } catch {
      throw cancelled(error);
    }
  }

  /**
   * How many milliseconds to wait at the time `now` of performance.now(); throws the error if there is to be no try.
   */
  decide(error: unknown, now: number, { repeatable = true, deadline = Infinity, signal }: Retry = {}): number {
    if (signal?.aborted) throw cancelled(error);
    if (!(error instanceof PasserelleError)) throw error;
    this.#failingSince ??= now;
    const delay = Math.max(this.#delayMs, error.retryDelayMs ?? 0) * (1 + Math.random() / 4);
    const patient = now - this.#failingSince < this.#retryForMs && now + delay < deadline;
    // A call that the server's end cut off arrives as cancelled; the loops themselves cancel only what is over.
    if (!(patient && repeatable && (error.retryable || error.code === "CANCELLED"))) throw error;
    this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
    return delay;
  }
}

/** The error of a call or loop that its caller aborted. */
export function cancelled(cause?: unknown): PasserelleError {
  return new PasserelleError({ code: "CANCELLED", details: "aborted by the caller" }, { cause });
}

/** What a loop reads before it begins: it waits for the server as the loop itself does. */
export async function patiently<T>(read: () => Promise<T>, retryForMs: number, signal?: AbortSignal): Promise<T> {
  const patience = new Patience(retryForMs);
  for (;;) {
    try {
      return await read();
    } catch (error) {
      await patience.wait(error, { signal });
    }
  }
}
