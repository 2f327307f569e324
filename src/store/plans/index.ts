export { createPlan } from "./create.ts";
export { listTrace, type Plan, type PlanStep, planOf, planOfRun, type TraceRow } from "./plan.ts";
export {
  abandonSubmit,
  beginSubmit,
  cancelPlan,
  confirmSubmit,
  type Observation,
  observeSteps,
} from "./submit.ts";
