import assert from "node:assert/strict";
import { test } from "node:test";

import { PasserelleError } from "../src/errors.js";
import { Patience, patiently } from "../src/patience.js";

const away = new PasserelleError({ code: "UNAVAILABLE", details: "connection refused" });
const busy = new PasserelleError({
  code: "RESOURCE_EXHAUSTED",
  details: "busy",
  reason: "OVERLOADED",
  retryDelayMs: 5_000,
});
const wrong = new PasserelleError({ code: "NOT_FOUND", details: "none", reason: "RESOURCE_NOT_FOUND" });

function assertAbout(delay: number, wanted: number): void {
  assert(delay >= wanted && delay <= wanted * 1.25, `waits ${delay}, wanted ${wanted} and up to a quarter more`);
}

test("waits grow to three seconds, and are short again after progress", () => {
  const patience = new Patience(60_000);
  for (const wanted of [100, 200, 400, 800, 1600, 3000, 3000]) assertAbout(patience.decide(away, 0), wanted);
  patience.progressed();
  assertAbout(patience.decide(away, 0), 100);
});

test("waits as long as the server asks", () => {
  assertAbout(new Patience(60_000).decide(busy, 0), 5_000);
});

test("gives up when nothing got on for the whole time, however late the first failure came", () => {
  const patience = new Patience(1_000);
  patience.decide(away, 500_000);
  patience.decide(away, 500_999);
  assert.throws(() => patience.decide(away, 501_000), away);
});

test("does not repeat what would fail again, cannot be repeated, or would come too late", () => {
  assert.throws(() => new Patience(60_000).decide(wrong, 0), wrong);
  assert.throws(() => new Patience(60_000).decide(away, 0, { repeatable: false }), away);
  assert.throws(() => new Patience(60_000).decide(busy, 0, { deadline: 5_000 }), busy);
  assert.throws(() => new Patience(60_000).decide(new RangeError("own"), 0), RangeError);
});

test("a caller that aborts is not kept waiting", async () => {
  const controller = new AbortController();
  const waiting = new Patience(3_600_000).wait(
    new PasserelleError({ code: "UNAVAILABLE", details: "", retryDelayMs: 3_600_000 }),
    { signal: controller.signal },
  );
  controller.abort();
  await assert.rejects(waiting, { code: "CANCELLED" });
});

test("a read before a loop is as patient as the loop", async () => {
  let tries = 0;
  const read = async (): Promise<string> => {
    tries += 1;
    if (tries < 3) throw away;
    return "read";
  };
  assert.equal(await patiently(read, 60_000), "read");
  assert.equal(tries, 3);
});
