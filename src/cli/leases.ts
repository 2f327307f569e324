import { connectToRead } from "../host/index.ts";
import type { OutputOf } from "../service/index.ts";
import { showLive } from "./live.ts";
import type { Paint } from "./paint.ts";
import { duration } from "./run/report.ts";
import { exitOf } from "./serve-role.ts";
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

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const ask = () => client.call("listLeases", { limit: flags.limit });
    if (flags.watch) {
      await showLive(io, ask, table);
      return exitOf(io.stop());
    }
    const answer = await ask();
    io.print(answer, (paint) => table(answer, paint));
    return 0;
  } finally {
    await client.close();
  }
};

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
