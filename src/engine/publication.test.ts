import { expect, test } from "bun:test";
import type { JsonObject } from "../base/json.ts";
import { refusals } from "./publication.ts";

const refused = (task: JsonObject): string[] =>
  refusals({
    document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" },
    do: [{ a: task }],
  } as never).map(({ pointer, message }) => `${pointer} ${message.split("`")[1]}`);

test("what the build lacks is named with its place", () => {
  expect(refused({ run: { container: { image: "x", ports: { 80: 8080 } } } })).toEqual([
    "/do/0/a/run run.container.ports",
  ]);
  expect(refused({ ask: { prompt: "?", sensitive: true } })).toEqual(["/do/0/a ask.sensitive"]);
});

test("$secrets in an expression is refused, in a text it is only a text", () => {
  expect(refused({ set: { x: "${ $secrets.key }" } })).toEqual(["/do/0/a/set/x $secrets"]);
  expect(refused({ if: "$secrets.on", set: {} })).toEqual(["/do/0/a/if $secrets"]);
  expect(refused({ set: { x: "a lot of $secrets" } })).toEqual([]);
});

test("$secrets may stand where nothing of it enters the state", () => {
  const call = {
    call: "http",
    input: { from: "{ key: $secrets.key }" },
    with: { method: "get", endpoint: "https://x.test", headers: { authorization: "${ $secrets.key }" } },
  };
  expect(refused(call)).toEqual([]);
  expect(refused({ ...call, output: { as: "$secrets.key" } })).toEqual(["/do/0/a/output/as $secrets"]);
  const shell = (TOKEN: string) => ({ run: { shell: { command: "true", environment: { TOKEN } } } });
  expect(refused(shell("${ $secrets.key }"))).toEqual([]);
  expect(refused(shell('${ "x" + $secrets.key }'))).toEqual(["/do/0/a/run/shell/environment/TOKEN $secrets"]);
  // What goes through /ctx is a prompt.
  const exchange = { target: { kind: "tool", tool: "search" }, body: { key: "${ $secrets.key }" } };
  expect(refused({ call: "cortex", with: exchange })).toEqual(["/do/0/a/with/body/key $secrets"]);
  // Data that looks like a call is none.
  expect(refused({ set: call })).toEqual([
    "/do/0/a/set/input/from $secrets",
    "/do/0/a/set/with/headers/authorization $secrets",
  ]);
});

test("a script is refused by its language, its size, and when an expression would make it", () => {
  const script = (language: string, code: string) => ({ run: { script: { language, code } } });
  expect(refused(script("python", "print(1)"))).toEqual([]);
  expect(refused(script("javascript", "console.log(`${1}`)"))).toEqual([]);
  expect(refused(script("ruby", "puts 1"))).toEqual(["/do/0/a script.ruby"]);
  expect(refused(script("js", "${ .code }"))).toEqual(["/do/0/a/run/script/code run.script"]);
  expect(refused(script("js", "1;".repeat(70_000)))).toEqual(["/do/0/a/run/script/code run.script"]);
});
