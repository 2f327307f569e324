import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "../../main.ts");
const home = mkdtempSync(join(tmpdir(), "secret-cli-"));
afterAll(() => rmSync(home, { recursive: true }));

async function lightflow(args: string[], stdin = "", env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: home,
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      TMPDIR: home,
      XDG_STATE_HOME: join(home, "state"),
      XDG_RUNTIME_DIR: join(home, "run"),
      ...env,
    },
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

test("a secret is set from stdin, listed by its name and forgotten; no file of the state holds it", async () => {
  expect(await lightflow(["secret", "set", "registry"], "open-sesame-42\n")).toMatchObject({
    code: 0,
    stderr: "",
  });
  const listed = await lightflow(["secret", "list"]);
  expect(JSON.parse(listed.stdout).secrets).toMatchObject([{ name: "registry", kind: "value" }]);
  const state = join(home, "state", "lightflow");
  for (const file of readdirSync(state, { recursive: true, withFileTypes: true }))
    if (file.isFile())
      expect(readFileSync(join(file.parentPath, file.name), "latin1")).not.toContain("open-sesame-42");

  const server = Bun.serve({
    port: 0,
    fetch: (request) => Response.json({ seen: request.headers.get("x-key") }),
  });
  writeFileSync(
    join(home, "call.yaml"),
    `document: {dsl: '1.0.3', namespace: t, name: t, version: '1.0.0'}
use: {secrets: [registry]}
do:
  - get: {call: http, with: {method: get, endpoint: '${server.url.href}', headers: {x-key: '\${ "k " + $secrets.registry }'}}}
`,
  );
  const run = await lightflow(["workflow", "run", "call.yaml", "--json"]);
  await server.stop(true);
  expect(JSON.parse(run.stdout)).toMatchObject({ status: "completed", output: { seen: "k ***" } });

  expect((await lightflow(["secret", "rm", "registry"])).code).toBe(0);
  const missing = await lightflow(["workflow", "run", "call.yaml", "--json"]);
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toContain("not set: registry");
});

test("a value on the command line, one that is too short, and a bad reference are refused", async () => {
  expect((await lightflow(["secret", "set", "a", "value"])).code).toBe(2);
  expect((await lightflow(["secret", "set", "a"], "abc")).stderr).toContain("6 bytes");
  expect((await lightflow(["secret", "set", "a", "--from", "http://x"])).code).not.toBe(0);
});
