import { enrollRunner } from "./enroll.ts";
import { listRunners } from "./list.ts";
import { approveRunner, auditRunner, drainRunner, quarantineRunner, releaseRunner } from "./operate.ts";
import { getRunner } from "./show.ts";

export const runnerOperations = {
  listRunners,
  getRunner,
  enrollRunner,
  approveRunner,
  quarantineRunner,
  releaseRunner,
  drainRunner,
  auditRunner,
} as const;
