import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandTarget, checkInputs, discoverAssets, findWorkflow } from "../../src/assets/index.ts";
import { sha256 } from "../../src/base/canonical.ts";

const ROOT = join(import.meta.dir, "../..");
const { definition, document } = findWorkflow(ROOT, "workflow.release_check");

const command = (id: string): CommandTarget => {
  const target = definition.steps.find((step) => step.step_id === id)?.target;
  if (target?.kind !== "command") throw new Error(`${id} is not a command`);
  return target;
};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "release check "));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
/** A repository with these files, one commit each time it is called; `""` commits nothing. */
function repository(files: Record<string, string>, name = `repo ${++count}`): string {
  const path = join(directory, name);
  mkdirSync(path);
  git(path, "init", "--quiet", "--initial-branch=main");
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    writeFileSync(join(path, file), text);
    if (text.startsWith("#!")) chmodSync(join(path, file), 0o755);
  }
  if (Object.keys(files).length > 0) commit(path);
  return path;
}

function commit(path: string): void {
  git(path, "add", "--all");
  git(path, "commit", "--quiet", "--allow-empty", "--message", "a commit");
}

function git(path: string, ...args: string[]): string {
  const identity = [
    "-c",
    "user.name=Somebody",
    "-c",
    "user.email=somebody@example.org",
    "-c",
    "commit.gpgsign=false",
  ];
  const done = Bun.spawnSync(["git", ...identity, ...args], { cwd: path, stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(done.stderr.toString());
  return done.stdout.toString().trim();
}

interface Done {
  exitCode: number;
  log: string;
  output: Record<string, unknown> & { findings?: { check: string; path: string; message: string }[] };
}

/** Run a step's own argument vector as a runner does: in the workspace, with a private environment. */
function run(id: string, workspace: string, values: Record<string, string> = {}): Done {
  const target = command(id);
  const output = join(workspace, `${id}.json`);
  const done = Bun.spawnSync(
    [target.command, ...target.arguments.map((argument) => values[argument] ?? argument)],
    {
      cwd: workspace,
      env: {
        PATH: process.env["PATH"]!,
        HOME: workspace,
        LANG: "C.UTF-8",
        LIGHTFLOW_WORKSPACE: workspace,
        LIGHTFLOW_OUTPUT: output,
        ...target.environment,
      },
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const log = done.stdout.toString() + done.stderr.toString();
  const read = done.exitCode === 0 ? JSON.parse(readFileSync(output, "utf8")) : {};
  return { exitCode: done.exitCode, log, output: read };
}

function workspaceFor(): string {
  const path = join(directory, `workspace ${++count}`);
  mkdirSync(path);
  return path;
}

const inputs = (repositoryPath: string, ref = "HEAD") => ({
  "${ .inputs.repository }": repositoryPath,
  "${ .inputs.ref }": ref,
});

/** The steps up to the check. */
function check(repositoryPath: string, ref?: string): { workspace: string; inventory: Done; check: Done } {
  const workspace = workspaceFor();
  const values = inputs(repositoryPath, ref);
  expect(run("clone", workspace, values)).toMatchObject({ exitCode: 0 });
  return {
    workspace,
    inventory: run("inventory", workspace, values),
    check: run("check", workspace, values),
  };
}

function pack(workspace: string, inventory: Done): Done {
  return run("package", workspace, {
    "${ .steps.inventory.output.name }": String(inventory.output["name"]),
    "${ .steps.inventory.output.version }": String(inventory.output["version"]),
    "${ .steps.inventory.output.commit }": String(inventory.output["commit"]),
  });
}

test("the asset is found, reads without a problem and becomes a document", () => {
  const { assets, diagnostics } = discoverAssets(ROOT);
  expect(diagnostics).toEqual([]);
  expect(assets.map(({ meta }) => meta.id)).toContain("workflow.release_check");
  expect(document.document).toMatchObject({
    namespace: "lightflow",
    name: "release-check",
    version: "1.0.0",
  });
  expect(checkInputs(definition, {})).toEqual([
    {
      code: "input_missing",
      path: "/repository",
      message: "the input repository (path) is missing: the git repository to release",
    },
  ]);
});

test("every script is valid for sh, and no script holds an expression", () => {
  for (const { target } of definition.steps) {
    if (target.kind !== "command") continue;
    const scripts = target.arguments.filter(
      (argument) => argument.includes("\n") && !argument.includes("BEGIN {"),
    );
    expect(scripts.length).toBeGreaterThan(0);
    expect(target.arguments[1]).not.toContain("${");
    const shell = target.arguments.filter(
      (text) => text.startsWith("set -eu") || text.includes("for path; do"),
    );
    for (const script of shell) {
      const done = Bun.spawnSync(["sh", "-n"], { stdin: Buffer.from(script), stderr: "pipe" });
      expect([done.exitCode, done.stderr.toString()]).toEqual([0, ""]);
    }
  }
});

test("a sound repository is counted, passes the check and is packed into the same bytes twice", () => {
  const path = repository({
    "package.json":
      '{"name":"@scope/thing","version":"1.2.3","nested":{"name":"no","list":[1,-2.5e3,"\\u00e9"]}}\n',
    "src/a.ts": "export const a = 1;\nexport const b = 2;\n",
    "src/ein Name.ts": "x\n",
    "run.sh": "#!/bin/sh\nset -eu\necho hello\n",
    tool: "#!/usr/bin/env bash\nif [[ a == a ]]; then echo yes; fi\n",
    other: "#!/usr/bin/env zsh\nif then fi\n",
    "data.bin": "\0\u0001\0",
  });
  const { workspace, inventory, check: checked } = check(path);
  expect(inventory.output).toEqual({
    name: "scope-thing",
    version: "1.2.3",
    commit: git(path, "rev-parse", "HEAD"),
    tree: git(path, "rev-parse", "HEAD^{tree}"),
    commits: 1,
    files: 7,
    lines: 11,
    languages: [
      { name: "Other", files: 3, lines: 4 },
      { name: "TypeScript", files: 2, lines: 3 },
      { name: "Shell", files: 1, lines: 3 },
      { name: "JSON", files: 1, lines: 1 },
    ],
  });
  expect(checked.output).toEqual({ passed: true, scripts: 2, skipped: 0, findings: [] });
  const packed = pack(workspace, inventory);
  const archive = readFileSync(join(workspace, "dist/scope-thing-1.2.3.tar.gz"));
  expect(packed.output).toEqual({
    file: "scope-thing-1.2.3.tar.gz",
    tar: sha256(Bun.gunzipSync(archive)),
    archive: sha256(archive),
  });
  const again = check(path);
  expect(pack(again.workspace, again.inventory).output).toEqual(packed.output);
});

test("each step may run again in the same workspace", () => {
  const path = repository({ "a.sh": "#!/bin/sh\nexit 0\n" });
  const workspace = workspaceFor();
  for (let round = 0; round < 2; round++) {
    const values = inputs(path);
    for (const id of ["clone", "inventory", "check"])
      expect([id, run(id, workspace, values).exitCode]).toEqual([id, 0]);
    expect(pack(workspace, run("inventory", workspace, values)).exitCode).toBe(0);
  }
});

test("a repository without a commit, a folder without a repository and a missing folder fail with one clear line", () => {
  const plain = join(directory, "plain");
  mkdirSync(plain);
  const missing = join(directory, "missing");
  for (const [path, message] of [
    [repository({}), "release_check: the repository has no commit: make a first one, then run again"],
    [plain, `release_check: ${plain} is not a git repository: run git init there, or give another path`],
    [missing, `release_check: there is no directory ${missing}: give the path of a git repository`],
    ["relative", "release_check: the repository must be an absolute path: relative"],
  ] as const) {
    const done = run("clone", workspaceFor(), inputs(path));
    expect(done.exitCode).toBe(1);
    expect(done.log.trim().split("\n").at(-1)).toBe(message);
  }
});

test("a ref picks a branch, a tag or a commit, and an unknown one fails", () => {
  const path = repository({ "a.txt": "1\n" });
  const first = git(path, "rev-parse", "HEAD");
  git(path, "tag", "v1.0.0");
  git(path, "branch", "old");
  writeFileSync(join(path, "b.txt"), "2\n");
  commit(path);
  for (const ref of ["v1.0.0", "old", first]) {
    expect(check(path, ref).inventory.output).toMatchObject({ commit: first, files: 1, version: "1.0.0" });
  }
  const done = run("clone", workspaceFor(), inputs(path, "nowhere"));
  expect([done.exitCode, done.log]).toEqual([1, expect.stringContaining("no commit named nowhere")]);
});

test("broken scripts and a broken manifest are findings with their place, whatever their names hold", () => {
  const path = repository({
    "package.json": '{"name": "x",}\n',
    "bad.sh": "#!/bin/sh\nif true; then\n",
    'na"me\n\\.sh': "case x in\n",
    "fine.sh": "echo fine\n",
  });
  symlinkSync("/etc/passwd", join(path, "link.sh"));
  commit(path);
  const { inventory, check: checked } = check(path);
  expect(inventory.output["name"]).toBe(`repo-${count - 1}`);
  expect(checked.output).toMatchObject({ passed: false, scripts: 3 });
  expect(checked.output.findings!.map(({ check: kind, path: file }) => [kind, file]).sort()).toEqual([
    ["JSON", "package.json"],
    ["bash -n", './na"me?\\.sh'],
    ["sh -n", "./bad.sh"],
  ]);
  expect(checked.output.findings!.find(({ check: kind }) => kind === "JSON")?.message).toBe(
    "line 1: unexpected }",
  );
});

test("a damaged object store is a finding, not a crash", () => {
  const path = repository({ "a.txt": "1\n" });
  const workspace = workspaceFor();
  run("clone", workspace, inputs(path));
  const blob = git(path, "rev-parse", "HEAD:a.txt");
  rmSync(join(workspace, "source/.git/objects", blob.slice(0, 2), blob.slice(2)), { force: true });
  const { output } = run("check", workspace);
  expect(output).toMatchObject({ passed: false, findings: [{ check: "git fsck" }] });
});

test("names that are shell text stay names", () => {
  const path = repository(
    { "package.json": '{"name":"$(touch pwned);`id`","version":"1.0.0 && rm"}\n' },
    "a'b $(touch pwned) ;x",
  );
  const { workspace, inventory } = check(path);
  expect(inventory.output).toMatchObject({ name: "touch-pwned-id", version: "1.0.0-rm" });
  expect(pack(workspace, inventory).exitCode).toBe(0);
  expect(Bun.spawnSync(["find", directory, "-name", "pwned"]).stdout.toString()).toBe("");
});
