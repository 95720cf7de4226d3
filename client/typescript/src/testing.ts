/** A server of one's own for tests: `passerelled` on a free port, in a temporary folder. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const START_MS = 60_000;
const STOP_MS = 60_000;
const KEPT_LOG = 4_000;

/** How to start it. */
export interface TestServerOptions {
  /**
   * The data folder, to go on with the data of a server before; without it, a temporary one that goes with the
   * server.
   */
  data?: string;
  /** More options of passerelled. Without any, callers need no key. */
  args?: readonly string[];
}

/**
 * A running server. Stop it, or say `await using server = await TestServer.start()`. One that nobody stops ends with the
 * program that started it.
 */
export class TestServer {
  /** Where it listens. */
  readonly address: string;
  readonly #process: ChildProcess;
  readonly #remove: () => Promise<void>;

  private constructor(process: ChildProcess, address: string, remove: () => Promise<void>) {
    this.#process = process;
    this.address = address;
    this.#remove = remove;
  }

  /**
   * Starts the passerelled of the folder PASSERELLE_BIN, or else of the PATH, and waits until it serves. Throws with
   * what it said if it does not.
   */
  static async start({ data, args = ["--insecure-loopback"] }: TestServerOptions = {}): Promise<TestServer> {
    const made = data === undefined ? await mkdtemp(join(tmpdir(), "passerelle-")) : undefined;
    const remove = async (): Promise<void> => {
      if (made !== undefined) await rm(made, { recursive: true, force: true });
    };
    const bin = process.env.PASSERELLE_BIN;
    const program = bin ? join(bin, "passerelled") : "passerelled";
    const folder = data ?? join(made ?? "", "data");
    const child = spawn(program, ["--data", folder, "--listen", "127.0.0.1:0", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const atExit = (): void => void child.kill("SIGKILL");
    process.once("exit", atExit);
    child.once("close", () => process.off("exit", atExit));
    try {
      return new TestServer(child, await addressOf(child), remove);
    } catch (error) {
      await end(child, "SIGKILL");
      await remove();
      throw error;
    }
  }

  /** Ends it in order, by force after a minute, and returns its exit code; null if a signal ended it. */
  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    await end(this.#process, signal);
    await this.#remove();
    return this.#process.exitCode;
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  // Without an id it was never there.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(late);
}

async function addressOf(child: ChildProcess): Promise<string> {
  let log = "";
  child.stderr?.on("data", (text: Buffer) => {
    log = (log + text.toString()).slice(-KEPT_LOG);
  });
  const { signal, lines } = {
    signal: AbortSignal.timeout(START_MS),
    lines: createInterface({ input: child.stdout! }),
  };
  const failed = once(child, "error", { signal }).then(([error]) => Promise.reject(error as Error));
  const ended = once(child, "exit", { signal }).then(([code]) => Promise.reject(new Error(`exit code ${code}`)));
  const first = once(lines, "line", { signal }).then(
    ([line]) => (JSON.parse(line as string) as { address: string }).address,
  );
  try {
    return await Promise.race([first, failed, ended]);
  } catch (error) {
    throw new Error(`passerelled did not start: ${(error as Error).message}\n${log}`, { cause: error });
  }
}
