import { listCalls } from "./list.ts";
import { resolveCall } from "./resolve.ts";

export const callOperations = { listCalls, resolveCall } as const;
