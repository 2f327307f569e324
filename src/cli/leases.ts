import type { OutputOf } from "../service/index.ts";
import { showOnceOrLive } from "./live.ts";
import type { Paint } from "./paint.ts";
import { duration } from "./run/report.ts";
import type { CommandSpec, Run } from "./spec.ts";
import { tableText } from "./table-text.ts";

export const spec = {
  description:
    "Leases that are out: which runner has which task, and how long it may keep it without renewing.",
  flags: {
    watch: { type: "boolean", about: "go on showing it until Ctrl-C" },
    limit: {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 1000,
      default: 100,
      about: "how many at most",
    },
  },
  examples: [{ command: "lightflow leases --watch", does: "watch what the runners are running" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ flags }, io) =>
  showOnceOrLive(io, {
    watch: flags.watch,
    ask: (client) => client.call("listLeases", { limit: flags.limit }),
    readable: table,
  });

function table({ leases }: OutputOf<"listLeases">, paint: Paint): string {
  return leases.length === 0
    ? "no lease is out\n"
    : tableText([
        ["task", "runner", "attempt", "state", "sandbox", "time left", "lease"].map((head) =>
          paint.dim(head),
        ),
        ...leases.map((each) => [
          `${each.run_id}/${each.step_id}`,
          each.runner_id,
          String(each.attempt),
          each.cancel_reason === null ? each.state : `${each.state}, told to stop`,
          each.sandbox ?? "",
          duration(each.remaining_ms),
          each.lease_id,
        ]),
      ]);
}
