import { getAgent } from "./get.ts";
import { listAgents } from "./list.ts";
import { publishAgent } from "./publish.ts";

export const agentOperations = { publishAgent, listAgents, getAgent } as const;
