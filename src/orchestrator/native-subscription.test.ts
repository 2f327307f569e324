import { expect, test } from "bun:test";
import { callStage, startCall } from "../../test/support/native-call.ts";
import { atEnd } from "../../test/support/orchestrator.ts";
import { until } from "../../test/support/until.ts";
import type { JsonObject } from "../base/json.ts";

/** A service whose one channel is lines of JSON. @returns where its document is */
function service(lines: () => string | ReadableStream<Uint8Array>): string {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request): Response {
      const host = new URL(request.url).host;
      if (request.url.endsWith("/document"))
        return Response.json({
          asyncapi: "3.0.0",
          servers: { web: { host, protocol: "http" } },
          channels: { lines: { address: "/lines" } },
          operations: { lines: { action: "receive", channel: { $ref: "#/channels/lines" } } },
        });
      return new Response(lines(), { headers: { "content-type": "application/x-ndjson" } });
    },
  });
  atEnd(() => server.stop(true));
  return `${server.url.href}document`;
}

test("a subscription asks its expressions about each message, with the task's arguments", async () => {
  const document = service(() => [1, 2, 3, 4, 5, 6].map((n) => `{"n":${n}}\n`).join(""));
  const { orchestrator, run, output } = callStage();
  const call = (consume: JsonObject) => ({
    document: { endpoint: document },
    operation: "lines",
    subscription: { filter: "${ .payload.n % 2 == $input.n % 2 }", consume },
  });
  await startCall(orchestrator(), call({ until: "${ .payload.n >= 3 }" }), {}, { call: "asyncapi" });
  await until(() => run().finished_at !== null);
  expect(output()).toMatchObject({ output: [{ payload: { n: 1 } }, { payload: { n: 3 } }] });
});

test("each message of a subscription runs the tasks of its foreach, one after another, while the call goes on", async () => {
  let send: ((n: number) => void) | undefined;
  const document = service(
    () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          send = (n) => controller.enqueue(new TextEncoder().encode(`{"n":${n}}\n`));
        },
      }),
  );
  const { orchestrator, run, output, events } = callStage();
  const call = {
    document: { endpoint: document },
    operation: "lines",
    subscription: {
      consume: { amount: 3 },
      foreach: {
        item: "message",
        at: "position",
        do: [{ doubled: { set: { n: "${ $message.payload.n * 2 }", at: "${ $position }" } } }],
        output: { as: "${ .n + $position }" },
      },
    },
  };
  await startCall(orchestrator(), call, {}, { call: "asyncapi" });
  const doubled = () =>
    events().filter(({ event, step_id }) => event === "step.succeeded" && step_id === "doubled");
  for (const n of [1, 2, 3]) {
    await until(() => doubled().length === n - 1);
    await until(() => send !== undefined);
    await Bun.sleep(20);
    send!(n);
  }
  await until(() => run().finished_at !== null);
  expect(output()).toMatchObject({ output: [2, 5, 8] });
  expect(doubled().map(({ reference }) => reference)).toEqual(
    [0, 1, 2].map((index) => `/do/0/go/with/subscription/foreach/do/0/doubled[${index}]`),
  );
});
