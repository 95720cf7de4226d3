/** Streams of the server that go on where they broke off. */

import type { Responses } from "./connection.js";
import type { Patience } from "./patience.js";

/**
 * The messages of a stream, which is opened again when it breaks off, for as long as `patience` says. Whoever reads a
 * message tells `patience` that it got on, and sees to it that the next `open` goes on after that message.
 */
export async function* resumed<T>(
  open: () => Responses<T>,
  patience: Patience,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  for (;;) {
    const responses = open();
    try {
      for (;;) {
        const message = await responses.receive();
        if (message === undefined) return;
        yield message;
      }
    } catch (error) {
      await patience.wait(error, { signal });
    } finally {
      responses.close();
    }
  }
}
