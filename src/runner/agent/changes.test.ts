import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { changesOf } from "./changes.ts";
import { protectedBy } from "./protected.ts";

let root: string;
let base: string;
let count = 0;

const FILES = {
  "src/sum.js": "exports.sum = (a, b) => a - b;\n",
  ".github/workflows/ci.yml": "on: push\n",
  ".gitignore": "out\n",
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "changes "));
  base = join(root, "base");
  for (const [name, text] of Object.entries(FILES)) put(base, name, text);
  Bun.spawnSync(["git", "init", "--quiet", "--template=", "."], { cwd: base });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function put(directory: string, name: string, text: string): void {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), text);
}

async function after(change: (work: string) => void) {
  const work = join(root, `work ${++count}`);
  cpSync(base, work, { recursive: true, verbatimSymlinks: true });
  change(work);
  return await changesOf(base, work, ["release"], join(root, "scratch"));
}

test("a changed, a new and a removed file are the patch; what the project ignores is not", async () => {
  const { files, patch } = await after((work) => {
    put(work, "src/sum.js", "exports.sum = (a, b) => a + b;\n");
    put(work, "src/new file.js", "new\n");
    put(work, "out/built.js", "built\n");
  });
  expect(files).toEqual(["src/new file.js", "src/sum.js"]);
  const fresh = join(root, "fresh");
  cpSync(base, fresh, { recursive: true });
  const applied = Bun.spawnSync(["git", "apply", "-"], { cwd: fresh, stdin: patch });
  expect(applied.exitCode).toBe(0);
  expect(await Bun.file(join(fresh, "src/sum.js")).text()).toContain("a + b");
});

test("nothing changed is an empty patch", async () => {
  expect(await after(() => {})).toMatchObject({ files: [], patch: new Uint8Array() });
});

for (const [what, change] of [
  ["a workflow", (work) => put(work, ".github/workflows/x.yml", "x")],
  ["a workflow in other letters", (work) => put(work, ".GitHub/workflows/x.yml", "x")],
  ["a workflow in letters that only look so", (work) => put(work, ".gіthub/workflows/x.yml", "x")],
  ["a workflow behind a letter that nobody sees", (work) => put(work, ".git\u200bhub/workflows/x.yml", "x")],
  [
    "a moved workflow",
    (work) => renameSync(join(work, ".github/workflows/ci.yml"), join(work, "src/ci.yml")),
  ],
  ["a workflow by its short name", (work) => put(work, "GITHUB~1/workflows/x.yml", "x")],
  ["a workflow as a stream of a directory", (work) => put(work, ".github::$INDEX_ALLOCATION/x.yml", "x")],
  ["a workflow behind other strokes", (work) => put(work, ".github\\workflows\\x.yml", "x")],
  ["a name of two lines", (work) => put(work, "src/a\nsrc/b", "x")],
  ["a name that turns around", (work) => put(work, "src/\u202etxt.js", "x")],
  [
    "a name that is none",
    (work) => writeFileSync(Buffer.concat([Buffer.from(`${work}/src/`), Buffer.from([0xff])]), "x"),
  ],
  ["what a release does", (work) => put(work, "lightflow/workflows/release_rust.ts", "x")],
  ["what a build loads by itself", (work) => put(work, "app/.mvn/extensions.xml", "x")],
  [
    "a repository that is none yet",
    (work) => {
      put(work, "inner/file", "x");
      Bun.spawnSync(["git", "init", "--quiet", "."], { cwd: join(work, "inner") });
    },
  ],
  ["owners of code", (work) => put(work, "docs/CODEOWNERS", "* @me")],
  ["an environment", (work) => put(work, ".env.production", "a=b")],
  ["what policy protects", (work) => put(work, "Release/plan.txt", "x")],
  ["a hook", (work) => put(work, ".git/hooks/pre-commit", "#!/bin/sh\n")],
  ["the configuration of git", (work) => appendFileSync(join(work, ".git/config"), "[alias]\n")],
  ["a link", (work) => symlinkSync("/etc/passwd", join(work, "src/link.js"))],
  [
    "a link in a file's place",
    (work) => {
      rmSync(join(work, "src/sum.js"));
      symlinkSync("/etc/passwd", join(work, "src/sum.js"));
    },
  ],
  [
    "another name of a file",
    (work) => {
      put(work, "src/a.js", "x");
      linkSync(join(work, "src/a.js"), join(work, "src/b.js"));
    },
  ],
  ["a mode", (work) => chmodSync(join(work, "src/sum.js"), 0o755)],
  ["a file of the same name elsewhere", (work) => put(work, "SRC/sum.js", "x")],
  [
    "a repository within",
    (work) => {
      mkdirSync(join(work, "inner"));
      const git = (...args: string[]) =>
        Bun.spawnSync(["git", "-c", "user.name=a", "-c", "user.email=a@b", ...args], {
          cwd: join(work, "inner"),
        });
      git("init", "--quiet", ".");
      git("commit", "--quiet", "--allow-empty", "--message", "x");
    },
  ],
] as [string, (work: string) => void][]) {
  test(`SR-9.3: ${what} is no change that an agent hands over`, async () => {
    await expect(after(change)).rejects.toMatchObject({ code: "workspace_change_denied" });
  });
}

test("SR-9.3: a link that was there stays one, and too many changes are none", async () => {
  const own = join(root, "own");
  put(own, "src/a.js", "a");
  symlinkSync("a.js", join(own, "src/l.js"));
  const change = async (work: string) => await changesOf(own, work, [], join(root, "scratch"));
  const copy = () => {
    const work = join(root, `own ${++count}`);
    cpSync(own, work, { recursive: true, verbatimSymlinks: true });
    return work;
  };
  const replaced = copy();
  rmSync(join(replaced, "src/l.js"));
  put(replaced, "src/l.js", "no link");
  await expect(change(replaced)).rejects.toThrow("src/l.js was a link");
  const many = copy();
  for (let at = 0; at <= 1000; at++) put(many, `many/${at}`, "x");
  await expect(change(many)).rejects.toThrow("more than 1000 files");
  // Where there was no repository there is none afterwards.
  const made = copy();
  mkdirSync(join(made, ".git"));
  await expect(change(made)).rejects.toThrow(".git was made");
});

for (const [what, change] of [
  ["what git leaves out", (work) => put(work, ".git/info/exclude", "src")],
  ["where git keeps modules", (work) => put(work, ".git/modules/x/config", "x")],
  [
    "another repository in its place",
    (work) => {
      rmSync(join(work, ".git"), { recursive: true });
      writeFileSync(join(work, ".git"), "gitdir: /elsewhere\n");
    },
  ],
] as [string, (work: string) => void][]) {
  test(`SR-9.3: ${what} is not for an agent to change`, async () => {
    await expect(after(change)).rejects.toMatchObject({ code: "workspace_change_denied" });
  });
}

test("ordinary names are not protected", () => {
  for (const path of [
    "src/environment.ts",
    "docs/github.md",
    "a/.envoy.yml",
    "src/git.ts",
    "codeowner.ts",
    "C:/mvn.ts",
  ]) {
    expect(protectedBy(path, [])).toBeNull();
  }
});
