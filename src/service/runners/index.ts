import { listInbox, listRunners } from "./list.ts";

export const runnerOperations = { listRunners, listInbox } as const;
