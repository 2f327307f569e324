import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/table.ts";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf completion");
afterAll(box.remove);

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout } = await runBinary(["completion", shell], { env: box.env });
  expect(code).toBe(0);
  const path = join(box.path, `lightflow.${shell}`);
  writeFileSync(path, stdout);
  return path;
}

async function output(argv: string[]): Promise<string> {
  const child = Bun.spawn(argv, {
    env: box.env,
    cwd: box.path,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ code, error }).toEqual({ code: 0, error: "" });
  return out;
}

test("bash completes commands, flags and the values of flags", async () => {
  const path = await scriptFor("bash");
  const complete = async (...words: string[]) => {
    const script =
      'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lightflow; printf "%s\\n" "${COMPREPLY[@]}"';
    const text = await output(["bash", "-c", script, "bash", path, "lightflow", ...words]);
    return text.split("\n").filter((line) => line !== "");
  };
  const firsts = [...new Set(COMMANDS.map((row) => row.path.split(" ")[0]!))];
  expect(await complete("")).toEqual(firsts);
  expect(await complete("docto")).toEqual(["doctor"]);
  expect(await complete("config", "")).toEqual(["show", "path"]);
  expect(await complete("--log-level", "warn", "config", "s")).toEqual(["show"]);
  expect(await complete("config", "show", "--lo")).toEqual(["--log-level"]);
  expect(await complete("config", "show", "--log-level", "")).toEqual(["error", "warn", "info", "debug"]);
  expect(await complete("completion", "z")).toEqual(["zsh"]);
  expect(await complete("help", "docto")).toEqual(["doctor"]);
});

test("the scripts name every command and every flag", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const text = await Bun.file(await scriptFor(shell)).text();
    for (const { path, load } of COMMANDS) {
      expect(text).toContain(path);
      const { spec } = await load();
      for (const flag of Object.keys(spec.flags ?? {})) {
        expect(text).toContain(shell === "fish" ? `-l ${flag}` : `--${flag}`);
      }
    }
  }
});

for (const [shell, check] of [
  ["bash", "-n"],
  ["zsh", "-n"],
  ["fish", "--no-execute"],
] as const) {
  test(`${shell} reads its script without a complaint`, async () => {
    if (Bun.which(shell) === null) {
      console.log(`not run: ${shell} is not installed`);
      return;
    }
    await output([shell, check, await scriptFor(shell)]);
  });
}

test("fish completes the same", async () => {
  if (Bun.which("fish") === null) {
    console.log("not run: fish is not installed");
    return;
  }
  const path = await scriptFor("fish");
  const complete = async (line: string) =>
    (await output(["fish", "--no-config", "-c", `source '${path}'; complete -C '${line}'`]))
      .split("\n")
      .map((each) => each.split("\t")[0]!)
      .filter((each) => each !== "");
  expect(await complete("lightflow docto")).toEqual(["doctor"]);
  expect((await complete("lightflow config ")).sort()).toEqual(["path", "show"]);
  expect((await complete("lightflow config show --log-level ")).sort()).toEqual([
    "debug",
    "error",
    "info",
    "warn",
  ]);
});
