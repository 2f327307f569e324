import { afterAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { STARTER_FILES } from "../../src/builtins/index.ts";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf init");
afterAll(box.remove);
const run = (...args: string[]) => runBinary(args, { env: box.env, cwd: box.path });

test("init writes a project and prints the next command", async () => {
  const { code, stdout } = await run("init", "my project");
  expect(code).toBe(0);
  const answer = JSON.parse(stdout);
  expect(answer.root).toBe(join(box.path, "my project"));
  expect(answer.files).toEqual(STARTER_FILES.map((file) => file.path));
  expect(answer.next).toContain("run start workflow.hello --root 'my project'");
  for (const file of STARTER_FILES) {
    expect(readFileSync(join(box.path, "my project", file.path), "utf8")).toBe(file.text);
  }
  expect(readdirSync(join(box.path, "my project"))).toEqual(["lightflow"]);
});

test("init goes beside what a directory holds already", async () => {
  const target = join(box.path, "existing");
  mkdirSync(join(target, "lightflow", "nodes"), { recursive: true });
  writeFileSync(join(target, "README"), "mine");
  expect((await run("init", "existing")).code).toBe(0);
  expect(readFileSync(join(target, "README"), "utf8")).toBe("mine");
  expect(existsSync(join(target, "lightflow", "workflows", "hello.ts"))).toBe(true);
  expect(readdirSync(target).sort()).toEqual(["README", "lightflow"]);
});

test("an executable that stands where the project's directory belongs is said to be in the way", async () => {
  const target = join(box.path, "beside the executable");
  mkdirSync(target);
  writeFileSync(join(target, "lightflow"), "the executable");
  for (const args of [["init"], ["new", "workflow", "workflow.plan"]]) {
    const { code, stdout, stderr } = await run(...args, "--root", target);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
    expect(stderr).toContain(`${target}/lightflow is a file, and a project's files stand in a directory`);
  }
  expect(readdirSync(target)).toEqual(["lightflow"]);
});

test("init overwrites nothing and then writes nothing", async () => {
  const target = join(box.path, "taken");
  mkdirSync(join(target, "lightflow", "workflows"), { recursive: true });
  writeFileSync(join(target, "lightflow", "workflows", "hello.ts"), "mine");
  const { code, stdout, stderr } = await run("init", "taken");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("hello.ts exists already; ");
  expect(readFileSync(join(target, "lightflow", "workflows", "hello.ts"), "utf8")).toBe("mine");
  expect(readdirSync(target, { recursive: true }).sort()).toEqual([
    "lightflow",
    "lightflow/workflows",
    "lightflow/workflows/hello.ts",
  ]);
});

test("when a later file cannot be written none is left behind", async () => {
  const target = join(box.path, "blocked");
  mkdirSync(join(target, "lightflow"), { recursive: true });
  // A file stands where the directory of the last starter file should be.
  writeFileSync(join(target, "lightflow", "workflows"), "mine");
  const { code, stderr } = await run("init", "blocked");
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(readdirSync(target, { recursive: true }).sort()).toEqual(["lightflow", "lightflow/workflows"]);
  expect(readFileSync(join(target, "lightflow", "workflows"), "utf8")).toBe("mine");
});

test("a directory that cannot be made is one line and exit code 1, a file in its place exit code 2", async () => {
  const unwritable = await run("init", "/proc/lightflow-project");
  expect(unwritable.code).toBe(1);
  expect(unwritable.stderr).toMatch(
    /^cannot write the project: [^\n]+; name a directory that you may write to\n$/,
  );
  writeFileSync(join(box.path, "a file"), "");
  expect((await run("init", "a file")).code).toBe(2);
});

test("a read-only directory is refused as any user but root", async () => {
  if (process.getuid?.() === 0) {
    console.log("not run: root may write to read-only directories");
    return;
  }
  mkdirSync(join(box.path, "locked"));
  chmodSync(join(box.path, "locked"), 0o500);
  expect((await run("init", "locked")).code).toBe(1);
  chmodSync(join(box.path, "locked"), 0o700);
});
