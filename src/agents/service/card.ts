import type { JsonObject } from "../../base/json.ts";
import type { Agent } from "../document.ts";

/** Where a server of A2A says what it is. */
export const CARD_PATH = "/.well-known/agent-card.json";

/** The agent's card (A2A 0.3, 5.5), with the digest that says which version answers. */
export function cardOf(agent: Agent, digest: string, needsToken: boolean, origin: string): JsonObject {
  return {
    protocolVersion: "0.3.0",
    name: agent.name,
    description: agent.description ?? `The agent ${agent.name}`,
    version: agent.version,
    url: `${origin}/a2a`,
    preferredTransport: "JSONRPC",
    capabilities: { streaming: true, pushNotifications: false, stateTransitionHistory: false },
    defaultInputModes: ["text/plain", "application/json"],
    defaultOutputModes: ["text/plain", "application/json"],
    skills: (agent.skills ?? []).map(({ name, description }) => ({
      id: name,
      name,
      description: description ?? name,
      tags: [],
    })),
    ...(needsToken
      ? { securitySchemes: { bearer: { type: "http", scheme: "bearer" } }, security: [{ bearer: [] }] }
      : {}),
    metadata: { digest },
  };
}
