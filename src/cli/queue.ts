import type { OutputOf } from "../service/index.ts";
import { showOnceOrLive } from "./live.ts";
import type { Paint } from "./paint.ts";
import { duration } from "./run/report.ts";
import type { CommandSpec, Run } from "./spec.ts";
import { tableText } from "./table-text.ts";

export const spec = {
  description:
    "Tasks that wait for a runner, in the order in which they are due. `lightflow tasks why RUN/STEP` says more about one.",
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
  examples: [{ command: "lightflow queue --watch", does: "watch what waits for a runner" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = ({ flags }, io) =>
  showOnceOrLive(io, {
    watch: flags.watch,
    ask: (client) => client.call("viewQueue", { limit: flags.limit }),
    readable: table,
  });

function table({ tasks, partitions }: OutputOf<"viewQueue">, paint: Paint): string {
  if (tasks.length === 0) return "nothing waits for a runner\n";
  const total = partitions.reduce((sum, each) => sum + each.waiting, 0);
  const table = tableText([
    ["task", "state", "priority", "pool", "waits", "attempts", "reason"].map((head) => paint.dim(head)),
    ...tasks.map((each) => [
      `${each.run_id}/${each.step_id}`,
      each.state === "parked" ? `parked (${each.concurrency_key})` : each.state,
      String(each.priority),
      each.requirement.runnerPool,
      duration(each.waited_ms),
      String(each.attempts),
      each.diagnostic ?? "",
    ]),
  ]);
  return `${table}${paint.dim(`${total} in the queue, ${partitions.length} kind${partitions.length === 1 ? "" : "s"} of runner asked for`)}\n`;
}
