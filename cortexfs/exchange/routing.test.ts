import { expect, test } from "bun:test";
import type { Provider } from "./providers.ts";
import { type Health, type RouteQuestion, route } from "./routing.ts";

const provider = (id: string, members: Partial<Provider> = {}): Provider => ({
  id,
  name: id,
  source: "channel",
  baseUrl: "http://127.0.0.1:1",
  keyReference: undefined,
  formats: ["openai.chat"],
  models: ["*"],
  defaultModel: "m",
  headers: {},
  priority: 0,
  weight: 1,
  enabled: true,
  limit: 1,
  timeoutMs: 1000,
  ...members,
});
const demo = provider("demo", { source: "demo", baseUrl: "", models: ["demo"], defaultModel: "demo" });

function ask(providers: Provider[], members: Partial<RouteQuestion> = {}) {
  return route({
    format: "openai.chat",
    model: undefined,
    providers: new Map(providers.map((each) => [each.id, each])),
    allowed: undefined,
    defaultProvider: undefined,
    health: new Map(),
    env: {},
    now: 100_000,
    key: "k",
    ...members,
  });
}
const order = (...parameters: Parameters<typeof ask>): string[] =>
  ask(...parameters).candidates.map((each) => each.provider);

test("the demo answers only when nothing else is configured or it is named", () => {
  expect(order([demo])).toEqual(["demo"]);
  expect(order([demo, provider("real")])).toEqual(["real"]);
  expect(ask([demo, provider("real", { enabled: false })]).reason).toBe("provider_disabled");
  expect(order([demo, provider("real", { priority: 5 })], { defaultProvider: "demo" })).toEqual([
    "demo",
    "real",
  ]);
});

test("default provider, health, priority and format decide in this order", () => {
  const failed: Health = { status: "failed", latencyMs: 1, lastError: "x", time: 90_000 };
  const all = [
    provider("low"),
    provider("high", { priority: 5 }),
    provider("other", { formats: ["anthropic.messages"] }),
  ];
  expect(order(all)).toEqual(["high", "low", "other"]);
  expect(order(all, { health: new Map([["high", failed]]) })).toEqual(["low", "other", "high"]);
  expect(order(all, { health: new Map([["high", failed]]), now: 200_000 })).toEqual(["high", "low", "other"]);
  expect(order(all, { defaultProvider: "other" })).toEqual(["other", "high", "low"]);
});

test("weights spread requests in proportion, the same request always alike", () => {
  const pair = [provider("one", { weight: 1 }), provider("three", { weight: 3 })];
  const first = Array.from({ length: 2000 }, (_, i) => order(pair, { key: `key-${i}` })[0]);
  const share = first.filter((id) => id === "three").length / 2000;
  expect(share).toBeGreaterThan(0.7);
  expect(share).toBeLessThan(0.8);
  expect(order(pair, { key: "key-1" })).toEqual(order(pair, { key: "key-1" }));
});

test("each refusal names its reason", () => {
  expect(ask([provider("p", { keyReference: "env:NONE" })]).reason).toBe("missing_secret");
  expect(ask([provider("p", { baseUrl: "" })]).reason).toBe("missing_configuration");
  expect(ask([provider("p", { models: ["a"] })], { model: "b" }).reason).toBe("unsupported_model");
  expect(ask([provider("p")], { allowed: ["q"] })).toMatchObject({ reason: "policy_denied", candidates: [] });
});

test("a model may be named with its provider", () => {
  const all = [provider("a", { models: ["x"] }), provider("b", { models: ["x", "y*"] })];
  expect(ask(all, { model: "b.x" })).toMatchObject({ provider: "b", model: "x" });
  expect(ask(all, { model: "yes" })).toMatchObject({ provider: "b", model: "yes" });
});
