import { expect, test } from "bun:test";
import { digestOf } from "../base/canonical.ts";
import type { JsonObject } from "../base/json.ts";
import { Definition } from "../engine/index.ts";
import { type CacheableEffect, keepsOutputs, stepKey, uncacheable } from "./step-key.ts";

function definition(lightFlow: JsonObject = {}, asset = true): Definition {
  const document: JsonObject = {
    document: {
      dsl: "1.0.3",
      namespace: "t",
      name: "t",
      version: "1.0.0",
      ...(asset ? { metadata: { lightFlow: { assetId: "workflow.t" } } } : {}),
    },
    do: [{ work: { run: { shell: { command: "echo" } }, metadata: { lightFlow } } }],
  };
  return new Definition(document, digestOf(document));
}

const run = (light: JsonObject = {}, list: string[] = ["a", "b"]): CacheableEffect => ({
  kind: "run",
  reference: "/do/0/work[3]#2",
  request: {
    type: "run.shell",
    command: "echo",
    arguments: list,
    environment: {},
    light,
    timeout_ms: null,
  } as never,
});

test("what a step sees stands in its key, or the step is not cached", () => {
  const asset = definition();
  expect(uncacheable(asset, run())).toBe(null);
  expect(uncacheable(definition({ impure: true }), run())).toContain("impure");
  expect(uncacheable(asset, run({ workspace: "session" }))).toContain("workspace");
  expect(uncacheable(asset, run({ mounts: [{ source: "/x" }] }))).toContain("directory of the host");
  expect(uncacheable(asset, run({ action: { name: "publish" } }))).toContain("action");
  expect(uncacheable(asset, run({ agent: { name: "mender" } }))).toContain("model");
  expect(uncacheable(definition({}, false), run())).toContain("ask for it");
  expect(uncacheable(definition({ cache: true }, false), run())).toBe(null);
  const call = (kind: string, target: JsonObject = {}): CacheableEffect => ({
    kind: "call",
    reference: "/do/0/work",
    request: { call: kind, with: { target }, secrets: {}, repeatable: false, timeout_ms: null },
  });
  expect(uncacheable(asset, call("http"))).toContain("service");
  expect(uncacheable(asset, call("cortex", { kind: "api" }))).toBe(null);
  expect(uncacheable(asset, call("cortex", { kind: "thread" }))).toContain("thread");
  expect(keepsOutputs(asset.document)).toBe(true);
  expect(keepsOutputs(definition({}, false).document)).toBe(false);
});

test("each part of a key tells apart what differs in it, and a title differs in nothing", () => {
  const base = stepKey(definition(), run(), { executionProfile: "default", workspace: { key: "1" } })!;
  const differs = (made: typeof base | null) =>
    Object.keys(base.components).filter((name) => made?.components[name] !== base.components[name]);
  const payload = { executionProfile: "default", workspace: { key: "2" } };
  const same = stepKey(definition({ title: "Another title" }), run(), payload);
  expect(same?.key).toBe(base.key);
  expect(differs(stepKey(definition(), run({}, ["a", "c"]), payload))).toEqual(["inputs.arguments[1]"]);
  expect(differs(stepKey(definition({ source: "f00" }), run(), payload))).toEqual(["asset"]);
  expect(differs(stepKey(definition({ models: [{ alias: "m" }] }), run(), payload))).toEqual(["model"]);
  expect(differs(stepKey(definition(), run(), { executionProfile: "gpu" }))).toEqual(["executor"]);
});
