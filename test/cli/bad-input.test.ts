import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf bad input");
const project = join(box.path, "project");
beforeAll(async () => {
  expect((await runBinary(["init", "project"], { env: box.env, cwd: box.path })).code).toBe(0);
});
afterAll(box.remove);

/** What a refused call prints: one line on stderr, nothing on stdout, and what was not there is not there afterwards. */
async function refusal(args: string[], env: Record<string, string> = {}, stdin?: string) {
  const { code, stdout, stderr } = await runBinary(args, {
    env: { ...box.env, ...env },
    cwd: project,
    ...(stdin === undefined ? {} : { stdin }),
  });
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^[^\n]+\n$/);
  return { code, message: stderr };
}

const start = (...rest: string[]) => ["run", "start", "workflow.hello", ...rest];

test("inputs that are not JSON, or not readable, are exit code 1", async () => {
  expect(await refusal(start("--inputs", "{bad"))).toMatchObject({
    code: 1,
    message: expect.stringContaining("offset 1"),
  });
  expect(await refusal(start("--inputs", '{"name":1,"name":2}'))).toMatchObject({
    code: 1,
    message: expect.stringContaining('duplicate key "name"'),
  });
  expect(await refusal(start("--inputs", "-"), {}, "{")).toMatchObject({ code: 1 });
  expect(await refusal(start("--inputs", "@no-such-file"))).toMatchObject({
    code: 1,
    message: expect.stringContaining("no-such-file"),
  });
});

test("inputs that the workflow does not have, and workflows that are not there, are exit code 2 with a hint", async () => {
  expect(await refusal(start("--inputs", '{"nam":"x"}'))).toMatchObject({
    code: 2,
    message: expect.stringContaining("did you mean name"),
  });
  expect(await refusal(start("--inputs", '{"name":5}'))).toMatchObject({ code: 2 });
  expect(await refusal(start("--inputs", "[1]"))).toMatchObject({ code: 2 });
  expect(await refusal(["run", "start", "workflow.helo"])).toMatchObject({
    code: 2,
    message: expect.stringContaining("did you mean workflow.hello?"),
  });
  expect(await refusal(start("--id", "../escape"))).toMatchObject({ code: 2 });
  expect(existsSync(join(box.path, "state", "escape"))).toBe(false);
});

test("a workflow file that is not valid names its place", async () => {
  const broken = join(box.path, "broken", "lightflow", "workflows");
  mkdirSync(broken, { recursive: true });
  writeFileSync(join(broken, "bad.ts"), 'export const META = { id: "workflow.bad",\n');
  const { code, message } = await refusal([
    "run",
    "start",
    "workflow.bad",
    "--root",
    join(box.path, "broken"),
  ]);
  expect(code).toBe(2);
  expect(message).toContain("bad.ts");
});

test("a secret without a value is refused with where to write it", async () => {
  const { code, message } = await refusal(["secret", "set", "registry"], {}, "\n");
  expect(code).toBe(2);
  expect(message).toContain("the value of registry is empty; write it to stdin");
});

test("a project directory that is not there does not pass as a project without errors", async () => {
  const absent = join(box.path, "absent");
  const { code, message } = await refusal(["check", "--root", absent]);
  expect(code).toBe(2);
  expect(message).toContain(`there is no project directory ${absent}; name another with --root`);
});

test("a state directory that cannot be written is exit code 1 and says what to set", async () => {
  const env = { XDG_STATE_HOME: "/proc/lightflow-state" };
  for (const args of [start(), ["up", "--port", "0", "--controller-port", "0"]]) {
    const { code, message } = await refusal(args, env);
    expect(code).toBe(1);
    expect(message).toContain("set XDG_STATE_HOME to a directory that you own");
  }
});

test("a store that is no store, or from a newer version, is refused and stays as it is", async () => {
  const state = join(box.path, "foreign-state", "lightflow");
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, "lightflow.db"), "this is not a database, but it is somebody's file");
  const before = await Bun.file(join(state, "lightflow.db")).bytes();
  const { code } = await refusal(start(), { XDG_STATE_HOME: join(box.path, "foreign-state") });
  expect(code).toBe(1);
  expect(await Bun.file(join(state, "lightflow.db")).bytes()).toEqual(before);
  expect(readdirSync(state).filter((name) => name.startsWith("lightflow.db"))).toEqual(["lightflow.db"]);
});

test("runs that are not there are exit code 2, and the message says where to look", async () => {
  for (const action of ["get", "events", "logs", "artifacts", "watch", "wait", "cancel"]) {
    expect(await refusal(["run", action, "nobody"])).toMatchObject({ code: 2 });
  }
  expect((await refusal(["run", "cancel", "nobody"])).message).toContain("lightflow run list");
});

test("a project directory that is not there is refused by every command that reads it", async () => {
  for (const command of [["assets", "workflows"], ["check"], ["run", "start", "workflow.hello"]]) {
    const { code, message } = await refusal([...command, "--root", "/no/such/project"]);
    expect(code, command.join(" ")).toBe(2);
    expect(message).toContain("there is no project directory /no/such/project");
  }
});

test("a check of no project, or of what is no asset, is refused rather than passed", async () => {
  const elsewhere = join(box.path, "elsewhere");
  mkdirSync(elsewhere);
  // As where the executable alone was copied into a directory.
  writeFileSync(join(elsewhere, "lightflow"), "");
  for (const root of [elsewhere, box.path]) {
    expect(await refusal(["check", "--root", root])).toMatchObject({
      code: 2,
      message: expect.stringContaining(`there is no project in ${root}: it has no directory lightflow/`),
    });
  }
  const listed = await runBinary(["assets", "workflows"], { env: box.env, cwd: elsewhere });
  expect([listed.code, listed.stderr]).toEqual([0, ""]);
  writeFileSync(join(project, "flow.yaml"), "do: []\n");
  expect(await refusal(["check", "flow.yaml"])).toMatchObject({
    code: 2,
    message: expect.stringContaining("lightflow workflow check flow.yaml"),
  });
});
