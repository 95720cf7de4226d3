/** Streams of the server that go on where they broke off. */

import type { Responses } from "./connection.js";
import { endedEarly } from "./errors.js";
import type { Patience } from "./patience.js";

/** What the reader of a stream knows of its end. */
export interface End {
  /** Whether the server may end the call here, with OK: else it broke off. */
  mayBeHere(): boolean;
  /** Whether all is received, however the call ends now. */
  isReached(): boolean;
}

/**
 * The messages of a stream, which is opened again when it breaks off, for as long as `patience` says. Whoever reads a
 * message tells `patience` that it got on, and sees to it that the next `open` goes on after that message.
 */
export async function* resumed<T>(
  open: () => Responses<T>,
  end: End,
  patience: Patience,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  for (;;) {
    const responses = open();
    try {
      for (;;) {
        const message = await responses.receive();
        if (message === undefined && end.mayBeHere()) return;
        if (message === undefined) throw endedEarly();
        yield message;
      }
    } catch (error) {
      if (end.isReached()) return;
      await patience.wait(error, { signal });
    } finally {
      responses.close();
    }
  }
}
