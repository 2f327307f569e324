import { expect, test } from "bun:test";
import type { JsonObject } from "../base/json.ts";
import { refusals } from "./publication.ts";

const refused = (task: JsonObject): string[] =>
  refusals(
    { document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" }, do: [{ a: task }] } as never,
    false,
  ).map(({ pointer, message }) => `${pointer} ${message.split("`")[1]}`);

test("what the build lacks is named with its place", () => {
  expect(refused({ run: { container: { image: "x" } } })).toEqual(["/do/0/a run.container"]);
  expect(refused({ ask: { prompt: "?", sensitive: true } })).toEqual(["/do/0/a ask.sensitive"]);
});

test("$secrets in an expression is refused, in a text it is only a text", () => {
  expect(refused({ set: { x: "${ $secrets.key }" } })).toEqual(["/do/0/a/set/x $secrets"]);
  expect(refused({ if: "$secrets.on", set: {} })).toEqual(["/do/0/a/if $secrets"]);
  expect(refused({ set: { x: "a lot of $secrets" } })).toEqual([]);
});

test("authentication from a secret needs somebody who has secrets", () => {
  const task = {
    call: "http",
    with: { method: "get", endpoint: { uri: "https://x.test", authentication: { basic: { use: "vault" } } } },
  };
  expect(refused(task)).toEqual(["/do/0/a/with/endpoint/authentication/basic authentication.secret"]);
});
