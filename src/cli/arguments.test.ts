import { expect, test } from "bun:test";
import { Failure } from "../base/errors.ts";
import { parseArguments } from "./arguments.ts";
import type { CommandSpec } from "./spec.ts";

const spec = {
  positionals: [
    { name: "workflow", label: "workflow asset id" },
    { name: "kind", label: "asset kind", optional: true, choices: ["models", "nodes"] },
  ],
  flags: {
    id: { type: "string", value: "ID", about: "" },
    inputs: { type: "string", value: "JSON", about: "", env: "X_INPUTS" },
    port: {
      type: "integer",
      value: "N",
      about: "",
      minimum: 0,
      maximum: 65_535,
      default: 5174,
      env: "X_PORT",
    },
    watch: { type: "boolean", about: "", env: "X_WATCH" },
    tag: { type: "list", value: "TAG", about: "" },
    set: { type: "pairs", value: "KEY=VALUE", about: "" },
    level: { type: "string", value: "LEVEL", about: "", choices: ["low", "high"], default: "low" },
  },
  examples: [],
} as const satisfies CommandSpec;

function parse(words: string[], env: Record<string, string> = {}, own: CommandSpec = spec) {
  const { args, globals } = parseArguments("run start", own, words, env);
  return { ...(args as unknown as { positionals: unknown; flags: Record<string, unknown> }), globals };
}

function refusal(words: string[], env: Record<string, string> = {}, own: CommandSpec = spec): string {
  try {
    parse(words, env, own);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    expect(error.code).toBe("usage");
    return `${error.message}; ${error.hint ?? ""}`;
  }
  return "accepted";
}

test("flags stand before, between and behind the positionals, with a space or an equals sign", () => {
  const { positionals, flags, globals } = parse([
    "--id=a=b",
    "workflow.x",
    "--inputs",
    "-",
    "--json",
    "--tag",
    "1",
    "--tag=2",
    "--set",
    "seed=1",
    "--set=style=a=b",
    "--watch",
  ]);
  expect(positionals).toEqual({ workflow: "workflow.x" });
  expect(flags).toEqual({
    id: "a=b",
    inputs: "-",
    port: 5174,
    watch: true,
    tag: ["1", "2"],
    set: new Map([
      ["seed", "1"],
      ["style", "a=b"],
    ]),
    level: "low",
  });
  expect(globals.get("json")).toBe(true);
});

test("what is not given is empty, from the environment, or the default", () => {
  const { flags } = parse(["w"], { X_PORT: "80", X_INPUTS: "", X_WATCH: "1" });
  expect(flags).toEqual({
    id: undefined,
    inputs: undefined,
    port: 80,
    watch: true,
    tag: [],
    set: new Map(),
    level: "low",
  });
});

test("two dashes end the flags", () => {
  expect(parse(["--", "--id"]).positionals).toEqual({ workflow: "--id" });
  const rest: CommandSpec = { positionals: [{ name: "argv", label: "command", rest: true }], examples: [] };
  expect(parse(["a", "--", "--b", "--", "-c"], {}, rest).positionals).toEqual({
    argv: ["a", "--b", "--", "-c"],
  });
});

test("everything else is refused in the words of the contract", () => {
  expect(refusal([])).toStartWith("missing workflow asset id; ");
  expect(refusal(["w", "models", "x"])).toStartWith("unexpected argument for run start: x; ");
  expect(refusal(["w", "modles"])).toBe("asset kind must be models|nodes: modles; did you mean models?");
  expect(refusal(["w", "--idd", "x"])).toBe("unexpected argument for run start: --idd; did you mean --id?");
  expect(refusal(["w", "-x"])).toStartWith("unexpected argument for run start: -x; ");
  expect(refusal(["w", "--__proto__"])).toStartWith("unexpected argument for run start: --__proto__; ");
  expect(refusal(["w", "--id"])).toStartWith("missing value for --id; ");
  expect(refusal(["w", "--id", "--watch"])).toStartWith("missing value for --id; ");
  expect(refusal(["w", "--id", "a", "--id=b"])).toStartWith("duplicate flag --id; ");
  expect(refusal(["w", "--watch", "--watch"])).toStartWith("duplicate flag --watch; ");
  expect(refusal(["w", "--json", "--json"])).toStartWith("duplicate flag --json; ");
  expect(refusal(["w", "--watch=yes"])).toStartWith("unexpected value for --watch; ");
  expect(refusal(["w", "--port", "65536"])).toStartWith("--port must be an integer from 0 to 65535: 65536");
  expect(refusal(["w", "--port", "80x"])).toStartWith("--port must be an integer from 0 to 65535: 80x");
  expect(refusal(["w"], { X_PORT: "no" })).toStartWith("X_PORT must be an integer from 0 to 65535: no");
  expect(refusal(["w", "--level", "hihg"])).toBe("--level must be low|high: hihg; did you mean high?");
  expect(refusal(["w", "--set", "seed"])).toStartWith("expected key=value for --set: seed; ");
  expect(refusal(["w", "--set", "=1"])).toStartWith("expected key=value for --set: =1; ");
  expect(refusal(["w", "--set", "a=1", "--set", "a=2"])).toStartWith("duplicate key a for --set; ");
  expect(refusal(["w"], {}, { ...spec, flags: { id: { ...spec.flags.id, required: true } } })).toStartWith(
    "missing --id; ",
  );
});

test("help is answered whatever else is missing", () => {
  expect(parse(["--help"]).globals.get("help")).toBe(true);
  expect(parse(["-h", "a", "b", "c"]).globals.get("help")).toBe(true);
});
