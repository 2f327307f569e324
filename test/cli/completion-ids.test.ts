import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";

const box = sandbox("lf completion ids");
const project = join(box.path, "a project");
const env = { ...box.env, PATH: `${join(box.path, "bin")}:${box.env["PATH"]}` };
let host: Started;
beforeAll(async () => {
  mkdirSync(join(box.path, "bin"));
  copyFileSync(await binary(), join(box.path, "bin/lightflow"));
  expect((await runBinary(["init", "a project"], { env, cwd: box.path })).code).toBe(0);
  host = await startBinary(["up", "--port", "0", "--controller-port", "0", "--no-ctx"], env, project);
  for (const id of ["first", "second"]) {
    await cli("run", "start", "workflow.hello", "--id", id);
    await cli("run", "wait", id);
  }
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

async function cli(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runBinary(args, { env, cwd: project });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
const ids = async (...args: string[]) =>
  (await cli("completion", "ids", ...args)).split("\n").filter((line) => line !== "");

async function output(argv: string[]): Promise<string[]> {
  const child = Bun.spawn(argv, { env: childEnvironment(env), cwd: project, stdout: "pipe", stderr: "pipe" });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ code, error }).toEqual({ code: 0, error: "" });
  return out.split("\n").filter((line) => line !== "");
}

test("ids are those of the running host, and workflows those of the project", async () => {
  expect(await ids("run")).toEqual(["second", "first"]);
  expect(await ids("runner")).toEqual(["local"]);
  expect(await ids("step", "first")).toEqual(["greet", "named"]);
  expect(await ids("step", "no-such-run")).toEqual([]);
  expect(await ids("workflow")).toContain("workflow.hello");
  expect((await ids("artifact")).every((each) => /^[0-9a-f]{64}$/.test(each))).toBe(true);
});

test("every kind that a command names is listed", async () => {
  const { COMMANDS } = await import("../../src/cli/table.ts");
  const kinds = new Set<string>();
  for (const { load } of COMMANDS) {
    const { positionals = [], flags = {} } = (await load()).spec;
    for (const each of [...positionals, ...Object.values(flags)])
      if ("ids" in each && each.ids !== undefined) kinds.add(each.ids);
  }
  expect(kinds.size).toBeGreaterThan(15);
  await Promise.all([...kinds].map((kind) => ids(kind)));
});

test("bash offers them where an id is wanted, and nothing where it is not", async () => {
  const path = join(box.path, "lightflow.bash");
  writeFileSync(path, await cli("completion", "bash"));
  const script =
    'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lightflow; printf "%s\\n" "${COMPREPLY[@]}"';
  const complete = (...words: string[]) =>
    output(["bash", "-c", script, "bash", path, "lightflow", ...words]);
  expect(await complete("run", "get", "")).toEqual(["second", "first"]);
  expect(await complete("run", "compare", "first", "se")).toEqual(["second"]);
  expect(await complete("run", "why", "first", "")).toEqual(["greet", "named"]);
  expect(await complete("run", "list", "--before", "f")).toEqual(["first"]);
  expect(await complete("--json", "run", "start", "workflow.h")).toEqual(["workflow.hello"]);
  expect(await complete("run", "get", "first", "")).toEqual([]);
  expect(await complete("run", "get", "--js")).toEqual(["--json"]);
});

test("fish offers the same", async () => {
  if (Bun.which("fish") === null) {
    console.log("not run: fish is not installed");
    return;
  }
  const path = join(box.path, "lightflow.fish");
  writeFileSync(path, await cli("completion", "fish"));
  const complete = async (line: string) =>
    (await output(["fish", "--no-config", "-c", `source '${path}'; complete -C '${line}'`])).map(
      (each) => each.split("\t")[0]!,
    );
  expect(await complete("lightflow run get ")).toEqual(["second", "first"]);
  expect(await complete("lightflow run why first ")).toEqual(["greet", "named"]);
  expect(await complete("lightflow run list --before f")).toEqual(["first"]);
  expect(await complete("lightflow run start workflow.h")).toEqual(["workflow.hello"]);
});

test("zsh offers the same", async () => {
  if (Bun.which("zsh") === null) {
    console.log("not run: zsh is not installed");
    return;
  }
  const path = join(box.path, "_lightflow");
  writeFileSync(path, await cli("completion", "zsh"));
  // What the line editor would be told: outside of it the builtin is not there.
  const script =
    'compdef() { }; compadd() { while [[ "$1" != -- ]]; do shift; done; shift; print -l -- "$@"; }; source "$1"; shift; words=("$@"); CURRENT=$#; _lightflow; true';
  const complete = (...words: string[]) =>
    output(["zsh", "-f", "-c", script, "zsh", path, "lightflow", ...words]);
  expect(await complete("run", "get", "")).toEqual(["second", "first"]);
  expect(await complete("run", "why", "first", "")).toEqual(["greet", "named"]);
  expect(await complete("run", "list", "--before", "")).toEqual(["second", "first"]);
});

test("where nobody listens, or nobody answers, nothing is said", async () => {
  const other = sandbox("lf nobody");
  const ask = () => runBinary(["completion", "ids", "run"], { env: other.env, cwd: other.path });
  const nothing = { code: 0, stdout: "", stderr: "" };
  expect(await ask()).toEqual(nothing);
  const socket = join(other.env["XDG_RUNTIME_DIR"]!, "lightflow/api.sock");
  mkdirSync(join(other.env["XDG_RUNTIME_DIR"]!, "lightflow"));
  const silent = Bun.listen({ unix: socket, socket: { data() {} } });
  expect(await ask()).toEqual(nothing);
  silent.stop(true);
  rmSync(socket, { force: true });
  other.remove();
});
