import { rmSync } from "node:fs";
import { join } from "node:path";
import { Type } from "@sinclair/typebox";
import { prunable, pruneRun, removeDigests } from "../../store/index.ts";
import { sweepParts } from "../artifacts/gc.ts";
import { defineOperation } from "../operation.ts";
import { phasesOf } from "../runs/view.ts";
import { closed, Integer, oneOf, Text } from "../shapes.ts";

/** Runs of one call: each is a transaction of its own, so that others get their turn between. */
const MOST = 1000;
const DAY_MS = 86_400_000;

export const pruneRuns = defineOperation({
  name: "run.prune",
  scope: "run",
  summary:
    "Remove ended runs with their logs, exports and the artifacts that nothing else names; says what it would do unless told to apply",
  method: "POST",
  path: "/runs/prune",
  input: closed({
    keep: Type.Optional(Type.Integer({ minimum: 0 })),
    workflow: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    status: Type.Optional(oneOf("succeeded", "failed", "cancelled")),
    older_than_days: Type.Optional(Type.Number({ minimum: 0, maximum: 36_500 })),
    apply: Type.Optional(Type.Boolean()),
  }),
  output: closed({
    dry_run: Type.Boolean(),
    runs: Type.Array(Text),
    /** Runs among them that a legal hold keeps. */
    held: Type.Array(Text),
    removed: Integer,
    artifacts: Integer,
    freed_bytes: Integer,
    more: Type.Boolean(),
  }),
  async run(context, input) {
    const days = input.older_than_days;
    const found = context.views.read(prunable, {
      tenantId: context.tenantId,
      workflow: input.workflow ?? null,
      statuses: input.status === undefined ? null : phasesOf(input.status),
      endedBefore: days === undefined ? null : context.clock.wall() - days * DAY_MS,
      keep: input.keep ?? 20,
      limit: MOST + 1,
    });
    const runs = found.slice(0, MOST);
    const report = {
      dry_run: input.apply !== true,
      runs: runs.filter(({ held }) => !held).map(({ run_id }) => run_id),
      held: runs.filter(({ held }) => held).map(({ run_id }) => run_id),
      removed: 0,
      artifacts: 0,
      freed_bytes: 0,
      more: found.length > MOST,
    };
    if (report.dry_run) return report;
    const parts = sweepParts(context);
    for (const { id, run_id } of runs.filter(({ held }) => !held)) {
      const gone = await context.records.write(pruneRun, {
        tenantId: context.tenantId,
        instanceId: id,
        now: context.clock.wall(),
      });
      if (gone === null) continue;
      report.removed++;
      // What a crash leaves here is written down, and goes with the next sweep.
      const { removed, bytes } = await removeDigests(parts, gone.artifacts);
      report.artifacts += removed;
      report.freed_bytes += bytes;
      for (const lease of gone.leases) await parts.removeSpool(lease);
      rmSync(join(context.stateDirectory, "runs", run_id), { recursive: true, force: true });
    }
    return report;
  },
});
