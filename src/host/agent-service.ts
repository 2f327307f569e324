import { join } from "node:path";
import { composedInstructions } from "../agents/index.ts";
import { REQUEST_BYTES } from "../agents/service/rpc.ts";
import { agentService } from "../agents/service/serve.ts";
import { connectTools } from "../agents/service/tool-box.ts";
import { fail } from "../base/errors.ts";
import { problemResponse } from "../base/http.ts";
import { listenTcp, type ServerTls } from "../base/listen.ts";
import type { Log } from "../base/log.ts";
import { readPrivateFile } from "../base/private-file.ts";
import type { Paths } from "../base/xdg.ts";
import { apiTarget, cortexPlace, exchangeOnce, responseOf } from "../cortex/index.ts";
import { checkOrigin, hostNames, isLoopback } from "../gateway/origin.ts";
import { TaskBook } from "../store/agent-service/task-book.ts";
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
  /** Where its tasks and sessions are; the state directory's own place where it is null. */
  data: string | null;
}): Promise<Role> {
  if (options.tokenFile === null && !isLoopback(options.host))
    throw fail("usage", "an agent that others reach needs a token", { hint: "give --token-file FILE" });
  const token = options.tokenFile === null ? null : readPrivateFile(options.tokenFile).trim();
  if (token === "")
    throw fail("usage", `${options.tokenFile} is empty`, { hint: "put a long random text into it" });
  const { found, instructions } = published(options.paths, options.log, options.agent);
  const place = cortexPlace();
  const opened: { close(): void | Promise<void> }[] = [];
  const close = async () => {
    for (const each of opened.reverse()) await each.close();
  };
  try {
    const book = new TaskBook(join(options.data ?? join(options.paths.state, "agents"), `${found.name}.db`));
    opened.push(book);
    const tools = await connectTools(options.mcp, found.agent.tools ?? [], options.log, found.agent.pins);
    opened.push(tools);
    const service = agentService({
      agent: found.agent,
      digest: found.digest,
      instructions,
      tools,
      token,
      book,
      log: options.log,
      async exchange(id, body, signal) {
        const target = apiTarget(place, "openai.chat", id);
        return responseOf(target, await exchangeOnce(target, JSON.stringify(body), signal));
      },
    });
    const names = hostNames(options.host, []);
    const server = listenTcp({
      host: options.host,
      port: options.port,
      flag: "--port",
      maximumBodyBytes: REQUEST_BYTES,
      tls: options.tls,
      handle(request) {
        try {
          // Whoever has the token is no web page; without one, any page that this user opens could ask.
          if (token === null) checkOrigin(request, names);
        } catch (error) {
          return problemResponse(error);
        }
        return service.handle(request);
      },
    });
    return {
      url: server.url,
      async stop() {
        await service.stop();
        await server.stop();
        await close();
      },
    };
  } catch (error) {
    await close();
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
    const textOf = (digest: string) => parts.store.read(readSkill, { tenantId: DEFAULT_TENANT, digest });
    return { found, instructions: composedInstructions(found.agent, textOf) };
  } finally {
    void parts.close();
  }
}
