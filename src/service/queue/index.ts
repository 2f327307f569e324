import { viewQueue } from "./view.ts";
import { explainTask } from "./why.ts";

export const queueOperations = { viewQueue, explainTask } as const;
