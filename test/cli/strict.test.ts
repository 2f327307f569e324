import { afterAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArguments } from "../../src/cli/arguments.ts";
import { COMMANDS } from "../../src/cli/table.ts";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf strict");
afterAll(box.remove);
const run = (args: string[], env = {}) => runBinary(args, { env: { ...box.env, ...env }, cwd: box.path });

async function refusal(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect(stdout).toBe("");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  return stderr;
}

test("a misspelt command, action or flag is refused in one line with the nearest name", async () => {
  expect(await refusal("docter")).toBe("unknown command: docter; did you mean doctor?\n");
  expect(await refusal("config")).toStartWith("missing config action; ");
  expect(await refusal("config", "shwo")).toStartWith(
    "config action must be show|path: shwo; did you mean show?",
  );
  expect(await refusal("config", "show", "--rot", "x")).toBe(
    "unexpected argument for config show: --rot; did you mean --root?\n",
  );
  expect(await refusal("confg", "show")).toBe("unknown command: confg; did you mean config?\n");
  expect(await refusal("--nonsense")).toStartWith("unexpected argument for lightflow: --nonsense");
  expect(await refusal("--jso", "run", "list")).toBe(
    "unexpected argument for lightflow: --jso; did you mean --json?\n",
  );
  expect(await refusal("help", "exit-code")).toBe("unknown command: exit-code; did you mean exit-codes?\n");
  expect(await refusal("completion")).toStartWith("missing shell; ");
  expect(await refusal("completion", "tcsh")).toStartWith("shell must be bash|zsh|fish: tcsh");
});

/** What the parser of the command line says, with the command's own list of flags. */
async function parserRefusal({ path, load }: (typeof COMMANDS)[number], ...words: string[]): Promise<string> {
  const { spec } = await load();
  try {
    parseArguments(path, spec, words, {});
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

test("every command refuses an unknown flag, a flag given twice and a flag without its value", async () => {
  for (const row of COMMANDS) {
    expect(await parserRefusal(row, "--no-such-flag")).toStartWith(
      `unexpected argument for ${row.path}: --no-such-flag`,
    );
    expect(await parserRefusal(row, "--root", ".", "--root", ".")).toStartWith("duplicate flag --root");
    expect(await parserRefusal(row, "--root")).toStartWith("missing value for --root");
  }
  const [{ path }] = COMMANDS as [(typeof COMMANDS)[number]];
  expect(await refusal(...path.split(" "), "--no-such-flag")).toStartWith(`unexpected argument for ${path}`);
});

test("every command that takes a fixed number of arguments refuses one more", async () => {
  for (const row of COMMANDS) {
    const positionals = (await row.load()).spec.positionals ?? [];
    if (positionals.some((each) => each.rest)) continue;
    const words = positionals.map((each) => each.choices?.[0] ?? "x");
    expect(await parserRefusal(row, ...words, "extra")).toStartWith(
      `unexpected argument for ${row.path}: extra`,
    );
  }
});

test("with --json an error is the problem object on stderr", async () => {
  const { code, stdout, stderr } = await run(["docter", "--json"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(JSON.parse(stderr)).toMatchObject({
    code: "usage",
    status: 400,
    error: "unknown command: docter",
    hint: "did you mean doctor?",
  });
});

test("a broken config.yaml names its place and breaks only what reads settings", async () => {
  mkdirSync(join(box.path, "broken", "lightflow"), { recursive: true });
  writeFileSync(join(box.path, "broken", "lightflow", "config.yaml"), "port: 1\nprot: 2\n");
  const env = { XDG_CONFIG_HOME: join(box.path, "broken") };
  const shown = await run(["config", "show"], env);
  expect(shown.code).toBe(2);
  expect(shown.stderr).toContain("config.yaml:2:1: prot: unknown field; did you mean port?");
  expect((await run(["config", "path"], env)).code).toBe(0);
  expect((await run(["help"], env)).code).toBe(0);
});

test("flags, environment and file decide in this order", async () => {
  mkdirSync(join(box.path, "good", "lightflow"), { recursive: true });
  writeFileSync(
    join(box.path, "good", "lightflow", "config.yaml"),
    "port: 1111\nlogLevel: error\nroot: /from/file\n",
  );
  const env = { XDG_CONFIG_HOME: join(box.path, "good"), LIGHTFLOW_LOG_LEVEL: "info" };
  const { stdout } = await run(["--root", "/from/flag", "config", "show"], env);
  expect(JSON.parse(stdout)).toMatchObject({
    settings: { port: 1111, logLevel: "info", root: "/from/flag", controllerPort: 5175 },
    sources: { port: "config.yaml", logLevel: "environment", root: "flag", controllerPort: "default" },
  });
});
