import type { JsonObject } from "../../src/base/json.ts";
import { allowAll } from "../../src/calls/index.ts";
import type { CallOptions, Orchestrator } from "../../src/orchestrator/index.ts";
import { listEvents } from "../../src/store/index.ts";
import { atEnd, documentOf, stage, startDocument } from "./orchestrator.ts";

/** A stage for one run, whose calls may go anywhere. */
export function callStage() {
  const { store, clock, orchestrator, row } = stage();
  const run = () => row("r");
  const output = () => JSON.parse(run().snapshot) as { output: JsonObject; error?: JsonObject };
  const events = () => store.read(listEvents, { instanceId: run().id, runId: "r", after: 0, limit: 100 });
  return {
    store,
    clock,
    orchestrator: (calls: CallOptions = { policy: allowAll }) => orchestrator({ calls }),
    run,
    output,
    events,
  };
}

/** A service that counts what reaches it; `hold` lets no answer out until it is released. */
export function countingService(echo?: string) {
  const seen: {
    url: string;
    method: string;
    key: string | null;
    body: string;
    authorization: string | null;
  }[] = [];
  let release = () => {};
  let held: Promise<void> = Promise.resolve();
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      seen.push({
        url: request.url,
        method: request.method,
        key: request.headers.get("idempotency-key"),
        body: await request.text(),
        authorization: request.headers.get("authorization"),
      });
      await held;
      return Response.json({ count: seen.length, echo });
    },
  });
  atEnd(() => server.stop(true));
  const hold = () => {
    held = new Promise((resolve) => {
      release = resolve;
    });
  };
  return { url: server.url.href, seen, hold, release: () => release() };
}

/** Start a run of one HTTP call; `more` stands beside the tasks, `task` beside the call. */
export const startCall = (
  orchestrator: Orchestrator,
  call: JsonObject,
  more: JsonObject = {},
  task: JsonObject = {},
) =>
  startDocument(
    orchestrator,
    "r",
    { ...documentOf([{ go: { call: "http", with: call, ...task } }]), ...more },
    { input: { n: 1 } },
  );
