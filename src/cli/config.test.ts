import { expect, test } from "bun:test";
import { parseConfig } from "./config.ts";
import { resolveSettings, SETTINGS } from "./settings.ts";

const parse = (text: string) => parseConfig(text, "config.yaml");

test("a file gives settings by their dotted name, and an empty one gives none", () => {
  expect(parse("host: 0.0.0.0\nport: 80\nrunner:\n  slots: 4\n  sandbox: process\n")).toEqual({
    host: "0.0.0.0",
    port: 80,
    "runner.slots": 4,
    "runner.sandbox": "process",
  });
  expect(parse("")).toEqual({});
  expect(parse("# nothing\n")).toEqual({});
});

test("what the schema does not know is refused with line and column", () => {
  expect(() => parse("host: x\nprot: 80\n")).toThrow(
    "config.yaml:2:1: prot: unknown field; did you mean port?",
  );
  expect(() => parse("runner:\n  slot: 80\n")).toThrow(
    "config.yaml:2:3: runner.slot: unknown field; did you mean slots?",
  );
  expect(() => parse("port: 70000\n")).toThrow("config.yaml:1:1: port: must be at most 65535");
  expect(() => parse("runner: 5\n")).toThrow("config.yaml:1:1: runner: must be an object");
  expect(() => parse("\nlogLevel: loud\n")).toThrow(
    "config.yaml:2:1: logLevel: must be one of error, warn, info, debug",
  );
  expect(() => parse("- a\n")).toThrow("config.yaml:1:1: the file: must be an object");
  expect(() => parse("port: 1\nport: 2\n")).toThrow(/config\.yaml:2:1: .*unique/i);
  expect(() => parse("host: [\n")).toThrow(/config\.yaml:\d+:\d+: /);
  expect(() => parse("a: &a x\nhost: *a\n")).toThrow();
});

test("flags stand over the environment, that over the file, that over the defaults", () => {
  const { settings, sources } = resolveSettings(
    { logLevel: "debug" },
    { LIGHTFLOW_LOG_LEVEL: "info", LIGHTFLOW_PORT: "81", LIGHTFLOW_RUNNER_SLOTS: "" },
    { logLevel: "error", port: 80, "runner.slots": 3 },
  );
  expect(settings).toMatchObject({ logLevel: "debug", port: 81, host: "127.0.0.1", runner: { slots: 3 } });
  expect(sources).toMatchObject({
    logLevel: "flag",
    port: "environment",
    "runner.slots": "config.yaml",
    host: "default",
  });
});

test("a variable that is no good is refused by its name", () => {
  expect(() => resolveSettings({}, { LIGHTFLOW_PORT: "-1" }, {})).toThrow(
    "LIGHTFLOW_PORT must be an integer",
  );
  expect(() => resolveSettings({}, { LIGHTFLOW_RUNNER_SANDBOX: "none" }, {})).toThrow(
    "auto|bubblewrap|oci|process",
  );
});

test("every setting can be given in the file", () => {
  for (const [name, row] of Object.entries(SETTINGS)) {
    const value = row.default ?? "/tmp";
    const [first, second] = name.split(".");
    const text = second === undefined ? `${first}: ${value}\n` : `${first}:\n  ${second}: ${value}\n`;
    expect(parse(text)).toEqual({ [name]: value });
  }
});
