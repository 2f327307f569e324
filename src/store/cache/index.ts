export { optionsOf, type RunOptions, type StepKey } from "./consult.ts";
export {
  type CacheEntry,
  countCache,
  listEntriesOfStep,
  listStepUses,
  pruneCache,
  type StepUse,
} from "./views.ts";
