import { listLeases } from "./list.ts";
import { resolveAttempt } from "./resolve.ts";

export const leaseOperations = { listLeases, resolveAttempt } as const;
