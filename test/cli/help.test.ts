import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import manifest from "../../package.json";
import { EXIT_TEXT } from "../../src/cli/exit.ts";
import { COMMANDS, GROUPS } from "../../src/cli/table.ts";
import { runBinary, sandbox } from "../support/binary.ts";

// Each of more than a hundred commands is a process.
setDefaultTimeout(60_000);
const box = sandbox();
afterAll(box.remove);
const run = (...args: string[]) => runBinary(args, { env: box.env, cwd: box.path });

test("--version prints the version of package.json", async () => {
  expect(await run("--version")).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
  expect(await run("--json", "--version")).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" });
  expect((await run("--version", "x")).code).toBe(2);
});

test("every command stands in the table once", () => {
  const paths = COMMANDS.map((row) => row.path);
  expect(paths.filter((path, at) => paths.indexOf(path) !== at)).toEqual([]);
});

test("no command at all prints the overview on stderr with exit code 2, --help on stdout with 0", async () => {
  const bare = await run();
  const asked = await run("--help");
  expect(bare).toEqual({ code: 2, stdout: "", stderr: asked.stdout });
  expect(asked.code).toBe(0);
  for (const row of COMMANDS) expect(asked.stdout).toContain(row.path.split(" ")[0]!);
});

test("every command answers --help with an example of itself", async () => {
  const asked = async ({ path, summary }: (typeof COMMANDS)[number]) => {
    const help = await run(...path.split(" "), "--help");
    expect(help.stderr).toBe("");
    expect(help.code).toBe(0);
    expect(help.stdout).toContain(`lightflow ${path}: ${summary}`);
    expect(help.stdout).toContain("Exit codes");
    const examples = help.stdout.slice(help.stdout.search(/^Examples?$/m));
    expect(examples).toContain(`lightflow ${path}`);
  };
  for (let at = 0; at < COMMANDS.length; at += 4) await Promise.all(COMMANDS.slice(at, at + 4).map(asked));
});

test("-h, help <command> and --help <command> answer as <command> --help does", async () => {
  // One way to ask is read the same for every command: a command of one word and two of two.
  for (const words of [["up"], ["run", "start"], ["runner", "enroll"]]) {
    const [help, ...others] = await Promise.all([
      run(...words, "--help"),
      run(...words, "-h"),
      run("help", ...words),
      run("--help", ...words),
    ]);
    for (const other of others) expect(other.stdout).toBe(help.stdout);
  }
});

test("every group answers help with its commands, and is described", async () => {
  const groups = new Set(
    COMMANDS.filter((row) => row.path.includes(" ")).map((row) => row.path.split(" ")[0]!),
  );
  for (const group of groups) {
    // A command with others below it describes itself.
    if (!COMMANDS.some((row) => row.path === group)) expect(GROUPS[group]).toBeDefined();
    const help = await run(group, "--help");
    expect(help.code).toBe(0);
    for (const row of COMMANDS.filter((each) => each.path.startsWith(`${group} `))) {
      expect(help.stdout).toContain(`lightflow ${row.path}`);
    }
    expect((await run("help", group)).stdout).toBe(help.stdout);
  }
});

test("help exit-codes lists every exit code", async () => {
  const { stdout, code } = await run("help", "exit-codes");
  expect(code).toBe(0);
  for (const [exit, text] of Object.entries(EXIT_TEXT))
    expect(stdout).toContain(`${exit.padStart(3)}  ${text}`);
});
