import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MAIN = join(import.meta.dir, "../../main.ts");
const directory = mkdtempSync(join(tmpdir(), "workflow-cli-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function lightflow(args: string[], stdin = "") {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: directory,
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "", HOME: directory, TMPDIR: directory },
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

const document = (body: string) =>
  `document: {dsl: '1.0.3', namespace: t, name: t, version: '1.0.0'}\n${body}`;

test("workflow run executes a document to its end and lists its tasks in the order they started", async () => {
  writeFileSync(
    join(directory, "two.yaml"),
    document("do:\n  - one: {set: {n: '${ .n + 1 }'}}\n  - two: {if: '${ .n > 9 }', set: {n: 0}}\n"),
  );
  const { code, stdout } = await lightflow(["workflow", "run", "two.yaml", "--input", '{"n":1}', "--json"]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    status: "completed",
    output: { n: 2 },
    error: null,
    tasks: [
      { name: "one", reference: "/do/0/one", status: "completed" },
      { name: "two", reference: "/do/1/two", status: "skipped" },
    ],
  });
});

test("workflow run exits with 3 when the workflow faults, and prints its error", async () => {
  const text = document("do:\n  - r: {raise: {error: {type: 'https://x.test/e', status: 418}}}\n");
  const { code, stdout } = await lightflow(["workflow", "run", "-", "--json"], text);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    status: "faulted",
    error: { type: "https://x.test/e", status: 418, instance: "/do/0/r" },
    tasks: [{ name: "r", status: "faulted" }],
  });
});

test("workflow run calls services of this machine: its user may", async () => {
  const server = Bun.serve({ port: 0, fetch: () => Response.json({ hello: "world" }) });
  const text = document(`do:\n  - get: {call: http, with: {method: get, endpoint: '${server.url.href}'}}\n`);
  const { stdout } = await lightflow(["workflow", "run", "-", "--json"], text);
  await server.stop(true);
  expect(JSON.parse(stdout).output).toEqual({ hello: "world" });
});

test("workflow run refuses by name what the build cannot do", async () => {
  const text = document("do:\n  - c: {run: {container: {image: x, ports: {'80': 8080}}}}\n");
  const { code, stderr } = await lightflow(["workflow", "run", "-"], text);
  expect(code).toBe(2);
  expect(stderr).toContain("run.container.ports");
});

test("workflow check gives pointer, line and column, and exits with 2 for an error", async () => {
  const { code, stdout } = await lightflow(
    ["workflow", "check", "-"],
    document("do:\n  - a:\n      set: {n: 1}\n      then: nowhere\n"),
  );
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    valid: false,
    diagnostics: [{ code: "unknown_target", pointer: "/do/0/a/then", line: 5, column: 13 }],
  });
});

test("workflow convert gives the other notation, and the same document back", async () => {
  const text = document("do:\n  - a: {set: {text: 'yes', n: 1}}\n");
  const json = await lightflow(["workflow", "convert", "-"], text);
  expect(JSON.parse(json.stdout).do).toEqual([{ a: { set: { text: "yes", n: 1 } } }]);
  const yaml = await lightflow(["workflow", "convert", "-"], json.stdout);
  const again = await lightflow(["workflow", "convert", "-"], yaml.stdout);
  expect(again.stdout).toBe(json.stdout);
});

test("expression eval prints each output on a line, and a failing program exits with 2", async () => {
  const evaluate = (...args: string[]) => lightflow(["expression", "eval", ...args]);
  const lines = await evaluate(".[] | {v: (. + $n)}", "--input", "[1,2]", "--arg", "n=10");
  expect(lines).toEqual({ code: 0, stdout: '{"v":11}\n{"v":12}\n', stderr: "" });
  expect((await evaluate("1 +")).code).toBe(2);
  expect((await evaluate(".a", "--input", "1")).code).toBe(2);
});

test("workflow diff says where two files differ, and exits with 3", async () => {
  writeFileSync(join(directory, "old.yaml"), document("do:\n  - one: {set: {n: 1}}\n"));
  const text = document("do:\n  - one: {set: {n: 2}}\n  - two: {set: {m: 1}}\n");
  const { code, stdout } = await lightflow(["workflow", "diff", "old.yaml", "-", "--json"], text);
  expect(code).toBe(3);
  expect(JSON.parse(stdout).differences).toEqual([
    { pointer: "/do/0/one/set/n", change: "changed", before: 1, after: 2 },
    { pointer: "/do/1/two", change: "added", after: { set: { m: 1 } } },
  ]);
  expect((await lightflow(["workflow", "diff", "old.yaml", "old.yaml"])).code).toBe(0);
});
