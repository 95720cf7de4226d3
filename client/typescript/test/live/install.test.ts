/** The package as a user has it: installed from the source tree with npm, into a project of their own. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(import.meta.resolve("../../../../.."));
const folder = mkdtempSync(join(tmpdir(), "passerelle-install-"));
after(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { connect } from "passerelle";
import { TestServer } from "passerelle/testing";
import { LogKind } from "passerelle/v1";

const server = await TestServer.start();
const client = connect(server.address);
const rows = [{ identities: { external_id: "1" } }];
const { counts } = await client.importProfiles(rows, { identities: ["external_id"], stream: "people" });
console.log(JSON.stringify(counts), LogKind.DELIVERY, await server.stop());
`;

test("npm installs the package from the source tree, and programs use it", () => {
  const source = join(folder, "repository");
  const made = ["node_modules", "dist", "gen"];
  for (const part of ["proto", "client/service_config.json", "client/typescript"]) {
    const filter = (path: string): boolean => !made.includes(basename(path));
    cpSync(join(ROOT, part), join(source, part), { recursive: true, filter });
  }
  const user = join(folder, "user");
  mkdirSync(user);
  writeFileSync(join(user, "package.json"), '{ "name": "user", "version": "1.0.0", "type": "module" }\n');
  writeFileSync(join(user, "program.js"), PROGRAM);
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: user, encoding: "utf8", timeout: 300_000, stdio: ["ignore", "pipe", "pipe"] });
  run("npm", "install", "--no-audit", "--no-fund", join(source, "client/typescript"));
  assert.equal(run(process.execPath, "program.js"), '{"CREATED":1} 1 0\n');
  const packed = run("npm", "pack", "--dry-run", "--json", "--ignore-scripts", join(source, "client/typescript"));
  const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  assert(paths.includes("dist/src/gen/passerelle/v1/ingest_pb.js"), "the tarball has the generated code");
  assert(
    !paths.some((path) => /^(dist\/(test|runner)|src|node_modules)\//.test(path)),
    "and nothing that users need not",
  );
});
