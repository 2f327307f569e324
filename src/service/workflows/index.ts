import { listPublications } from "./list.ts";
import { publishWorkflow } from "./publish.ts";
import { startWorkflow } from "./start.ts";

export const workflowOperations = { startWorkflow, publishWorkflow, listPublications } as const;
