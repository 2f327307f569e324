import { expect, test } from "bun:test";
import { callStage, countingService, startCall } from "../../test/support/native-call.ts";
import { until } from "../../test/support/until.ts";
import { allowAll } from "../calls/index.ts";
import type { Secrets } from "../secrets/index.ts";

test("a secret is named in the state and given to the call alone", async () => {
  const { orchestrator, run, store } = callStage();
  const { url, seen } = countingService();
  const secrets: Secrets = {
    has: () => true,
    resolve: (_tenant, name) => (name === "vault" ? { username: "me", password: "swordfish" } : undefined),
  };
  await startCall(
    orchestrator({ policy: allowAll, secrets }),
    { method: "get", endpoint: { uri: url, authentication: { basic: { use: "vault" } } } },
    { use: { secrets: ["vault"] } },
  );
  await until(() => run().status === "completed");
  expect(seen[0]!.authorization).toBe(`Basic ${btoa("me:swordfish")}`);
  expect(await Bun.file(store.path).text()).not.toContain("swordfish");
  expect(await Bun.file(`${store.path}-wal`).text()).not.toContain("swordfish");
});

const API_KEY = "open-sesame-42";
const KEY: Secrets = { has: (_tenant, name) => name === "key", resolve: () => API_KEY };

test("$secrets in a call's arguments and in its input is evaluated for the call, and nothing of it is kept", async () => {
  const { orchestrator, run, store, output } = callStage();
  const { url, seen } = countingService(API_KEY);
  await startCall(
    orchestrator({ policy: allowAll, secrets: KEY }),
    {
      method: "post",
      endpoint: `${url}{place}`,
      headers: { authorization: '${ "Key " + $secrets.key + .suffix }' },
      body: { n: "${ .n }", input: "${ $input.suffix }", hidden: "${ .hidden }" },
    },
    { use: { secrets: ["key"] } },
    { input: { from: '{ n, place: "there", suffix: "!", hidden: $secrets.key }' } },
  );
  await until(() => run().finished_at !== null);
  expect(seen[0]).toMatchObject({
    url: `${url}there`,
    authorization: `Key ${API_KEY}!`,
    body: JSON.stringify({ n: 1, input: "!", hidden: API_KEY }),
  });
  expect(output().output).toEqual({ count: 1, echo: "***" });
  for (const file of [store.path, `${store.path}-wal`])
    expect(await Bun.file(file).text()).not.toContain(API_KEY);
});

test("a failing expression over a secret says nothing of its value", async () => {
  const { orchestrator, run, output } = callStage();
  const { url } = countingService();
  await startCall(
    orchestrator({ policy: allowAll, secrets: KEY }),
    { method: "get", endpoint: url, headers: { x: "${ $secrets.key | tonumber }" } },
    { use: { secrets: ["key"] } },
  );
  await until(() => run().finished_at !== null);
  expect(JSON.stringify(output())).not.toContain(API_KEY);
  expect(output().error).toMatchObject({ status: 400, instance: "/do/0/go", data: { sent: "none" } });
});

test("a start names the secrets that are not set", async () => {
  const { orchestrator } = callStage();
  const started = startCall(
    orchestrator({ policy: allowAll, secrets: KEY }),
    { method: "get", endpoint: "https://x.test" },
    { use: { secrets: ["key", "other"] } },
  );
  expect(started).rejects.toThrow("not set: other");
});
