import { fail } from "../../base/errors.ts";
import { findRun, type Plan, planOf } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";

/** The plan of a run that is taken step by step. @throws Failure `not_found`; `conflict` for one that goes on by itself */
export function readPlan(context: ServiceContext, runId: string): Plan {
  const plan = findPlan(context, runId);
  if (plan === null) {
    throw fail("conflict", `conflict: run ${runId} goes on by itself`, {
      hint: "only runs made by `lightflow run create` are taken step by step",
    });
  }
  return plan;
}

/** The same, or null for a run that the engine advances. @throws Failure `not_found` */
export function findPlan(context: ServiceContext, runId: string): Plan | null {
  return context.views.read(planOf, context.views.read(findRun, { tenantId: context.tenantId, runId }));
}
