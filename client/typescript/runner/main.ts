/** Runs the steps of tests/conformance with this client. tests/conformance/README.md is the protocol. */

import { createInterface } from "node:readline";

import { PasserelleError, UsageError } from "passerelle";

import { Session, type Step } from "./session.js";

function told(error: unknown): object {
  if (error instanceof UsageError) return { code: "INVALID_USE", message: error.message };
  if (!(error instanceof PasserelleError)) return { code: "INTERNAL", message: `the runner failed: ${error}` };
  return {
    code: error.code,
    reason: error.reason,
    message: error.details,
    fields: error.fieldViolations.map(({ field }) => field),
    metadata: error.metadata,
    retry_delay_ms: error.retryDelayMs ?? 0,
    retryable: error.retryable,
  };
}

const TEXT_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

/** A step. Whole numbers that JSON.parse would round become texts, as which an INT64 may come too. */
function parsed(line: string): Step {
  return JSON.parse(
    line.replace(TEXT_OR_LONG_INTEGER, (found) => (found.startsWith('"') ? found : `"${found}"`)),
  ) as Step;
}

function write(answer: object): void {
  const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value);
  process.stdout.write(`${JSON.stringify(answer, plain)}\n`);
}

async function run(session: Session, step: Step, signal: AbortSignal): Promise<void> {
  try {
    const ok = await session.do(step, signal);
    write(ok ? { id: step.id, ok } : { id: step.id, error: { code: "UNKNOWN_STEP", message: step.op } });
  } catch (error) {
    if (!(error instanceof PasserelleError || error instanceof UsageError)) console.error(error);
    write({ id: step.id, error: told(error) });
  }
}

async function main(): Promise<void> {
  const session = new Session();
  let [underWay, controller] = [Promise.resolve(), new AbortController()];
  for await (const line of createInterface({ input: process.stdin })) {
    const step = parsed(line);
    if (step.op === "cancel") {
      controller.abort();
      write({ id: step.id, ok: {} });
      continue;
    }
    await underWay;
    controller = new AbortController();
    underWay = run(session, step, controller.signal);
  }
  await underWay;
  session.close();
}

await main();
