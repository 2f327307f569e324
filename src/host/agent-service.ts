import { agentService } from "../agents/service/serve.ts";
import { connectTools } from "../agents/service/tool-box.ts";
import { fail } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import { listenTcp, type ServerTls } from "../base/listen.ts";
import type { Log } from "../base/log.ts";
import { readPrivateFile } from "../base/private-file.ts";
import type { Paths } from "../base/xdg.ts";
import { apiTarget, cortexPlace, exchangeOnce, responseOf } from "../cortex/index.ts";
import { findAgent, readSkill } from "../store/index.ts";
import { DEFAULT_TENANT, openParts } from "./parts.ts";
import type { Role } from "./roles.ts";

/**
 * A published agent as a service of its own. The registry is read once: which version answers does not change while it
 * runs. The model is that of this host's `/ctx`.
 */
export async function openAgentService(options: {
  paths: Paths;
  log: Log;
  agent: string;
  host: string;
  port: number;
  mcp: readonly string[];
  /** Whoever holds what stands in it may call; not needed where only this host can. */
  tokenFile: string | null;
  tls?: ServerTls;
}): Promise<Role> {
  const isLocal = /^(?:127\.|::1$|localhost$)/.test(options.host);
  if (options.tokenFile === null && !isLocal)
    throw fail("usage", "an agent that others reach needs a token", { hint: "give --token-file FILE" });
  const token = options.tokenFile === null ? null : readPrivateFile(options.tokenFile).trim();
  const { found, instructions } = published(options.paths, options.log, options.agent);
  const place = cortexPlace();
  const tools = await connectTools(options.mcp, found.agent.tools ?? []);
  const handle = agentService({
    agent: found.agent,
    digest: found.digest,
    instructions,
    tools,
    token,
    async exchange(id, body, signal) {
      const target = apiTarget(place, "openai.chat", id);
      return responseOf(target, await exchangeOnce(target, JSON.stringify(body), signal));
    },
  });
  try {
    const server = listenTcp({
      host: options.host,
      port: options.port,
      flag: "--port",
      maximumBodyBytes: LIMITS.exchangeBodyBytes,
      tls: options.tls,
      handle,
    });
    return {
      url: server.url,
      async stop() {
        await server.stop();
        await tools.close();
      },
    };
  } catch (error) {
    await tools.close();
    throw error;
  }
}

function published(paths: Paths, log: Log, reference: string) {
  const parts = openParts(paths, log);
  try {
    const found = parts.store.read(findAgent, { tenantId: DEFAULT_TENANT, reference });
    if (found === null)
      throw fail("not_found", `not found: agent ${reference}`, {
        hint: "publish it: lightflow agent publish FILE",
      });
    const skills = (found.agent.skills ?? []).map(
      ({ name, digest }) =>
        `# Skill: ${name}\n\n${parts.store.read(readSkill, { tenantId: DEFAULT_TENANT, digest }) ?? ""}`,
    );
    return { found, instructions: [found.agent.instructions, ...skills].join("\n\n") };
  } finally {
    void parts.close();
  }
}
