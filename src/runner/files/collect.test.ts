import { afterAll, expect, test } from "bun:test";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exampleLease } from "../../protocol/example.ts";
import { type ArtifactSource, collectArtifacts } from "./collect.ts";
import { openBelow, walkFiles } from "./walk.ts";

const root = mkdtempSync(join(tmpdir(), "collect "));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const { limits } = exampleLease();
const noStore = async () => {};
const plain = (name: string) => name;

function tree(name: string, files: Record<string, string>): string {
  const directory = join(root, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, path, ".."), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

test("a file is opened below its root alone: no link, no parent, no absolute path, no directory", () => {
  const directory = tree("open", { "a/b/file": "inside" });
  symlinkSync("/etc", join(directory, "a/link"));
  symlinkSync("b/file", join(directory, "a/alias"));
  const opened = openBelow(directory, "a/b/file");
  expect(readFileSync(opened!.descriptor, "utf8")).toBe("inside");
  closeSync(opened!.descriptor);
  for (const path of [
    "a/link/passwd",
    "a/alias",
    "../open/a/b/file",
    "/etc/passwd",
    "a/b",
    "a//b/file",
    "",
    ".",
    "a\0",
  ]) {
    expect(openBelow(directory, path)).toBeNull();
  }
});

test("a pipe in the place of a file is none, and nobody waits for its writer", async () => {
  const directory = tree("pipes", { file: "x" });
  expect(Bun.spawnSync(["mkfifo", join(directory, "pipe")]).exitCode).toBe(0);
  // In a process of its own: whoever waits there hears no signal of a timer.
  const child = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { openBelow } from ${JSON.stringify(join(import.meta.dir, "walk.ts"))}; console.log(openBelow(process.argv[1], "pipe"))`,
      directory,
    ],
    { stdout: "pipe", timeout: 4_000, killSignal: "SIGKILL" },
  );
  expect(await child.stdout.text()).toBe("null\n");
});

test("a directory that is exchanged for a link while it is walked leads nowhere", async () => {
  const directory = tree("race", { "out/x/file": "inside" });
  const stolen = tree("elsewhere", { "x/file": "STOLEN" });
  let running = true;
  const attacker = (async () => {
    while (running) {
      renameSync(join(directory, "out"), join(directory, "aside"));
      symlinkSync(stolen, join(directory, "out"));
      await new Promise((resolve) => setImmediate(resolve));
      rmSync(join(directory, "out"));
      renameSync(join(directory, "aside"), join(directory, "out"));
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const seen = new Set<string>();
  for (let round = 0; round < 300; round++) {
    const opened = openBelow(directory, "out/x/file");
    if (opened !== null) {
      seen.add(readFileSync(opened.descriptor, "utf8"));
      closeSync(opened.descriptor);
    } else seen.add("nothing");
    await new Promise((resolve) => setImmediate(resolve));
  }
  running = false;
  await attacker;
  expect([...seen].sort()).toEqual(["inside", "nothing"]);
});

test("a walk goes where the globs lead and tells when it was cut short", () => {
  const directory = tree("walk", { "a/1.txt": "", "a/b/2.txt": "", "c/3.txt": "", "top.txt": "" });
  symlinkSync("/", join(directory, "a/root"));
  const all = walkFiles(
    directory,
    (path) => path.endsWith(".txt"),
    (path) => path !== "c",
  );
  expect(all).toEqual({ paths: ["a/1.txt", "a/b/2.txt", "top.txt"], complete: true });
  const deep = join(directory, Array.from({ length: 70 }, () => "d").join("/"));
  mkdirSync(deep, { recursive: true });
  expect(
    walkFiles(
      directory,
      () => true,
      () => true,
    ).complete,
  ).toBe(false);
});

test("artifacts are named plainly and uniquely, and masked before they are named", async () => {
  const directory = tree("names", { "a b.txt": "1", "a_b.txt": "2", "token-hunter2.txt": "3" });
  const stored: ArtifactSource[] = [];
  const references = await collectArtifacts(
    directory,
    [{ path: "*.txt" }],
    limits,
    (name) => name.replace("hunter2", "***"),
    async (source) => void stored.push(source),
  );
  expect(references.map((reference) => reference.name)).toEqual(["a_b.txt", "a_b.txt-2", "token-_.txt"]);
  expect(stored.map((source) => source.size)).toEqual([1, 1, 1]);
});

test("too many artifacts, too large ones, and paths that leave the workspace are refused before any is stored", async () => {
  const directory = tree("limits", { "1": "x".repeat(100), "2": "y", "3": "z" });
  let stored = 0;
  const count = async () => {
    stored++;
  };
  const few = { ...limits, artifactCount: 2 };
  expect(collectArtifacts(directory, [{ path: "*" }], few, plain, count)).rejects.toMatchObject({
    code: "execution_output_too_large",
  });
  for (const path of ["../x", "a/../../x", "/etc/passwd", "a\\b", "a//b"]) {
    expect(collectArtifacts(directory, [{ path }], limits, plain, count)).rejects.toMatchObject({
      code: "artifact_path_denied",
    });
  }
  expect(
    collectArtifacts(directory, [{ path: "1" }], { ...limits, artifactBytes: 99 }, plain, noStore),
  ).rejects.toMatchObject({ code: "execution_output_too_large" });
  await Bun.sleep(20);
  expect(stored).toBe(0);
});
