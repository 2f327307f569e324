import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import {
  type CacheEntry,
  findRun,
  type InstanceRow,
  listEntriesOfStep,
  listStepUses,
  type StepUse,
} from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { type RunStep, stepsOfRun } from "../runs/steps.ts";
import { AnyObject, closed, named, nullable, oneOf, RunId, Text, Time } from "../shapes.ts";

/** Entries of a step among which the nearest one is looked for. */
const ENTRIES = 50;

export interface Why {
  run_id: string;
  step_id: string;
  reference: string;
  result: "hit" | "miss" | "reused" | "uncached";
  reason: string;
  key: string | null;
  origin_run: string | null;
  nearest: { run_id: string; created_at: string; differs: string[] } | null;
  components: Record<string, string>;
}

export const whyStep = defineOperation({
  name: "run.why",
  scope: "read",
  summary:
    "Why steps were taken from the cache or run: what differed from the nearest earlier run of the same step",
  method: "GET",
  path: "/runs/:run_id/steps/:step_id/why",
  input: closed({ run_id: RunId, step_id: Type.String({ minLength: 1, maxLength: 256 }) }),
  output: closed({
    steps: Type.Array(
      named(
        "StepWhy",
        closed({
          run_id: RunId,
          step_id: Text,
          reference: Text,
          result: oneOf("hit", "miss", "reused", "uncached"),
          reason: Text,
          key: nullable(Text),
          origin_run: nullable(Text),
          nearest: nullable(closed({ run_id: Text, created_at: Time, differs: Type.Array(Text) })),
          components: AnyObject,
        }),
      ),
    ),
  }),
  run(context, input): { steps: Why[] } {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    const uses = context.views.read(listStepUses, { instanceId: row.id });
    const mine = uses.filter(({ step_id }) => step_id === input.step_id);
    if (mine.length > 0) return { steps: mine.map((use) => whyOf(context, row, use)) };
    const reached = stepsOfRun(context, row).filter(({ step_id }) => step_id === input.step_id);
    if (reached.length === 0) {
      throw fail("not_found", `not found: step ${input.step_id} of run ${row.run_id}`, {
        hint: "the run has not reached it, or has no such step: lightflow run get RUN",
      });
    }
    return {
      steps: reached.map((step) => ({
        run_id: row.run_id,
        step_id: step.step_id,
        reference: step.reference,
        result: "uncached",
        reason: UNENDED[step.status]?.(row.run_id, step.step_id) ?? WHY_UNCACHED[step.kind] ?? NOT_KEPT,
        key: null,
        origin_run: null,
        nearest: null,
        components: {},
      })),
    };
  },
});

const NOT_KEPT =
  "its output is never kept: it is impure, shares the run's workspace, reads a directory of the host or calls a service";
/** Whether an output is kept is not the question where there is none. */
const UNENDED: Readonly<Partial<Record<RunStep["status"], (run: string, step: string) => string>>> = {
  running: (run, step) => `it has not ended: lightflow tasks why ${run}/${step}`,
  waiting_for_operator: () => "it waits for somebody: lightflow inbox list",
  failed: (run) => `it failed, and only what succeeds is kept: lightflow run get ${run}`,
  cancelled: () => "it was cancelled",
  skipped: () => "it was skipped",
};
const FREE = "it costs nothing and is done anew each time";
const WHY_UNCACHED: Record<string, string> = { set: FREE, assert: FREE, switch: FREE, raise: FREE, do: FREE };

function whyOf(context: ServiceContext, row: InstanceRow, use: StepUse): Why {
  const common = {
    run_id: row.run_id,
    step_id: use.step_id,
    reference: use.reference,
    key: use.key === "" ? null : use.key,
    origin_run: use.origin_run,
    components: use.components,
  };
  if (use.state === "reused") {
    return { ...common, result: "reused", reason: `taken over from ${use.origin_run}`, nearest: null };
  }
  if (use.state === "hit") {
    return { ...common, result: "hit", reason: `everything is as in ${use.origin_run}`, nearest: null };
  }
  const entries = context.views.read(listEntriesOfStep, {
    tenantId: row.tenant_id,
    workflow: row.workflow,
    reference: use.reference,
    besides: row.run_id,
    until: use.at,
    limit: ENTRIES,
  });
  const nearest = nearestOf(entries, use);
  return {
    ...common,
    result: "miss",
    reason: use.reason ?? reasonOf(nearest),
    nearest:
      nearest === null
        ? null
        : {
            run_id: nearest.entry.run_id,
            created_at: isoTime(nearest.entry.created_at),
            differs: nearest.differs,
          },
  };
}

function reasonOf(nearest: { entry: CacheEntry; differs: string[] } | null): string {
  if (nearest === null) return "no output of this step is kept from an earlier run";
  if (nearest.differs.length === 0)
    return `the output of ${nearest.entry.run_id} was kept only after this step began`;
  return `differs from ${nearest.entry.run_id} in ${nearest.differs.join(", ")}`;
}

/** The entry that differs in the fewest parts; of equal ones the newest. */
function nearestOf(
  entries: readonly CacheEntry[],
  use: StepUse,
): { entry: CacheEntry; differs: string[] } | null {
  let best: { entry: CacheEntry; differs: string[] } | null = null;
  for (const entry of entries) {
    const names = new Set([...Object.keys(entry.components), ...Object.keys(use.components)]);
    const differs = [...names].filter((name) => entry.components[name] !== use.components[name]).sort();
    if (best === null || differs.length < best.differs.length) best = { entry, differs };
  }
  return best;
}
