import { frozenPlace, listFrozen, removeFrozen } from "../../host/runner-tools.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { PLACE_FLAGS, runnerPlace } from "./place.ts";

export const spec = {
  description:
    "What tasks left on this host and policy keeps: read-only files and logs, until their time is over. Removing works while the runner runs.",
  flags: {
    ...PLACE_FLAGS,
    remove: { type: "string", value: "LEASE", about: "remove what this lease's task left, before its time" },
  },
  examples: [
    { command: "lightflow runner frozen", does: "leases, runs, and until when" },
    {
      command: "lightflow runner frozen --remove 01970f5d-0000-7000-8000-000000000001",
      does: "nothing of it stays",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const { data } = runnerPlace(flags, io);
  if (flags.remove !== undefined) {
    await removeFrozen(data, flags.remove);
    io.print({ removed: flags.remove }, () => `removed ${flags.remove}\n`);
    return 0;
  }
  const frozen = listFrozen(data).map((task) => ({ ...task, path: frozenPlace(data, task.leaseId) }));
  io.print({ frozen }, (paint) =>
    frozen.length === 0
      ? `nothing is kept in ${data}\n`
      : tableText([
          ["lease", "instance", "task", "status", "until", "place"].map((head) => paint.dim(head)),
          ...frozen.map((task) => [
            task.leaseId,
            task.wfInstanceId,
            task.taskId,
            task.status,
            String(task.frozenUntil),
            task.path,
          ]),
        ]),
  );
  return 0;
};
