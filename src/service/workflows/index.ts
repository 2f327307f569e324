import { getPublication } from "./get.ts";
import { listPublications } from "./list.ts";
import { publishWorkflow } from "./publish.ts";
import { signalRun } from "./signal.ts";
import { startWorkflow } from "./start.ts";

export const workflowOperations = {
  startWorkflow,
  publishWorkflow,
  listPublications,
  getPublication,
  signalRun,
} as const;
