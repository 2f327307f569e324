import { resolve } from "node:path";
import { openAgentService } from "../../host/index.ts";
import { HOST_FLAG, portFlag, TLS_FLAGS, tlsOf } from "../listen-flags.ts";
import { serveRole } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "A published agent as a service of its own, over A2A 0.3: sessions with a memory, tools of MCP servers, progress as a stream. Tasks call it with `call: agent-service`. The model is that of this host's /ctx. Tasks and sessions outlive a restart: what was being worked on is taken up.",
  positionals: [
    { name: "agent", label: "agent", ids: "agent", about: "NAME, or NAME:VERSION for one version" },
  ],
  flags: {
    host: HOST_FLAG,
    port: portFlag("0 takes a free one", "5176"),
    mcp: {
      type: "list",
      value: "SERVER",
      about: "an MCP server with tools of the agent: an address, or the path of a program; may be repeated",
    },
    "token-file": {
      type: "string",
      value: "FILE",
      about: "whoever sends what stands in it may call; needed on any address but the loopback",
    },
    ...TLS_FLAGS,
    data: {
      type: "string",
      value: "DIR",
      about: "where tasks and sessions are kept; agents/ of the state directory where it is not given",
    },
  },
  examples: [
    {
      command: "lightflow agent serve triage --port 5176",
      does: "http://127.0.0.1:5176/.well-known/agent-card.json",
    },
  ],
} as const satisfies CommandSpec;

const PORT = 5176;

export const run: Run<typeof spec> = ({ positionals, flags }, io) =>
  serveRole(io, "agent", () =>
    openAgentService({
      paths: io.paths,
      log: io.log(),
      agent: positionals.agent,
      host: flags.host ?? "127.0.0.1",
      port: flags.port ?? PORT,
      mcp: flags.mcp,
      ...tlsOf(flags),
      tokenFile: flags["token-file"] ?? null,
      data: flags.data === undefined ? null : resolve(io.cwd, flags.data),
    }),
  );
