import type { JsonObject } from "../base/json.ts";
import { workspaceWish } from "../protocol/workspace.ts";
import type { AgentMode, AgentQuestion } from "./placement.ts";

/** What a published agent says that it needs. */
export interface AgentNeeds {
  readonly tools?: readonly string[];
  readonly files?: boolean;
  readonly privateNetwork?: boolean;
  readonly model?: { readonly scope?: "saas" | "tenant"; readonly provider?: string };
}

/** The mode that a call of an agent asks for by itself; undefined where policy decides. */
export function agentMode(call: string, given: JsonObject): AgentMode | undefined {
  if (call === "agent-service") return "service";
  const mode = given["mode"];
  return typeof mode === "string" ? (mode as AgentMode) : undefined;
}

/** What policy is asked about a call of an agent. */
export function agentQuestion(
  mode: AgentMode | undefined,
  light: JsonObject,
  agent: AgentNeeds | undefined,
  privateData: boolean,
): AgentQuestion {
  const files = [light["files"], light["mounts"]].some((list) => Array.isArray(list) && list.length > 0);
  return {
    ...(mode === undefined ? {} : { mode }),
    // A service uses tools of its own, behind its own boundary.
    tools: mode === "service" ? [] : (agent?.tools ?? []),
    files: agent?.files === true || files || workspaceWish(light["workspace"]).kind !== "ephemeral",
    privateNetwork: agent?.privateNetwork === true,
    privateData,
    ...(agent?.model?.scope === undefined ? {} : { modelProviderScope: agent.model.scope }),
    ...(agent?.model?.provider === undefined ? {} : { modelProvider: agent.model.provider }),
  };
}
