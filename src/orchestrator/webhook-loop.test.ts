import { expect, test } from "bun:test";
import { gateway } from "../../test/support/gateway.ts";
import { allowAll } from "../calls/index.ts";
import { callOperation, service } from "../service/index.ts";
import { claimDeliveries, listWebhooks } from "../store/index.ts";

interface Message {
  headers: Record<string, string>;
  body: string;
}

/** A receiver that refuses the first `refusals` messages. */
function receiver(refusals: number) {
  const messages: Message[] = [];
  let wake = () => {};
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      messages.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
      wake();
      return new Response(null, { status: messages.length <= refusals ? 503 : 204 });
    },
  });
  const until = async (count: number) => {
    while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return messages;
  };
  return { url: `http://127.0.0.1:${server.port}/hook`, messages, until, stop: () => server.stop(true) };
}

const open = { policy: allowAll };

test("the end of a run and a question are told, signed, once each to who wants them", async () => {
  const g = await gateway({ calls: open });
  const all = receiver(0);
  const asks = receiver(0);
  const made = await callOperation(service.createWebhook, g.host.context, { url: all.url });
  await callOperation(service.createWebhook, g.host.context, { url: asks.url, events: ["ask"] });
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: "r" } });
  const [ended] = await all.until(1);
  expect(JSON.parse(ended!.body)).toMatchObject({
    id: ended!.headers["webhook-id"],
    type: "run.ended",
    data: { run_id: "r", workflow_asset_id: "workflow.now", status: "succeeded" },
  });
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature } = ended!.headers;
  const key = Buffer.from(made.secret.slice("whsec_".length), "base64");
  const expected = new Bun.CryptoHasher("sha256", key)
    .update(`${id}.${time}.${ended!.body}`)
    .digest("base64");
  expect(signature).toBe(`v1,${expected}`);
  expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(60);

  const document = {
    document: { dsl: "1.0.3", namespace: "t", name: "asks", version: "1.0.0" },
    do: [{ question: { ask: { prompt: "Go on?" } } }],
  };
  const context = { ...g.host.context, trustsPaths: true };
  await callOperation(service.startWorkflow, context, { document, run_id: "q" } as never);
  const [asked] = await asks.until(1);
  expect(JSON.parse(asked!.body)).toMatchObject({ type: "ask", data: { run_id: "q", kind: "ask" } });
  expect(asks.messages).toHaveLength(1);
  const listed = await g.json("/admin/webhooks");
  expect(JSON.stringify(listed.body)).not.toContain(made.secret);
  expect(await g.json(`/admin/webhooks/${made.id}`, { method: "DELETE" })).toMatchObject({ status: 200 });
  all.stop();
  asks.stop();
});

test("a message that is not taken is sent again under the same id, also by the process after a crash", async () => {
  const g = await gateway({ calls: open });
  const hook = receiver(1);
  await callOperation(service.createWebhook, g.host.context, { url: hook.url, events: ["run.ended"] });
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: "r" } });
  await hook.until(1);
  const view = () => g.host.context.views.read(listWebhooks, { tenantId: "default" })[0]!;
  while (view().last?.outcome == null) await Bun.sleep(5);
  expect(view()).toMatchObject({ pending: 1, delivered: 0, last: { attempts: 1, outcome: "answered 503" } });
  // Long after the pause; the claim of a process that died is as due as a refusal.
  const later = Date.now() + 3_600_000;
  const claimed = await g.host.context.records.write(claimDeliveries, {
    now: later,
    until: later - 3_600_000,
    limit: 10,
  });
  expect(claimed).toMatchObject([{ id: hook.messages[0]!.headers["webhook-id"], attempts: 2 }]);
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: "s" } });
  const messages = await hook.until(3);
  const ids = messages.map(({ headers }) => headers["webhook-id"]);
  expect(new Set(ids).size).toBe(2);
  expect(messages.filter(({ headers }) => headers["webhook-id"] === ids[0]).map(({ body }) => body)).toEqual([
    messages[0]!.body,
    messages[0]!.body,
  ]);
  while (view().pending > 0) await Bun.sleep(5);
  expect(view()).toMatchObject({ delivered: 2, given_up: 0 });
  hook.stop();
});

test("an address inside is not called where the host allows only the public Internet, and a credential in one is refused", async () => {
  const g = await gateway();
  const hook = receiver(0);
  await callOperation(service.createWebhook, g.host.context, { url: hook.url });
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: "r" } });
  const view = () => g.host.context.views.read(listWebhooks, { tenantId: "default" })[0]!;
  while (view().last?.outcome == null) await Bun.sleep(5);
  expect(hook.messages).toHaveLength(0);
  expect(view()).toMatchObject({ pending: 1 });
  for (const url of ["https://user:pass@example.com/", "ftp://example.com/", "https://"]) {
    expect((await g.json("/admin/webhooks", { json: { url } })).status).toBe(400);
  }
  hook.stop();
});
