import type { CommandRow } from "./row.ts";

/** The gateway's surfaces and who may use them. */
export const SURFACES: readonly CommandRow[] = [
  { path: "webhook create", summary: "be told at an address", load: () => import("../webhook/create.ts") },
  { path: "webhook list", summary: "who is told of what", load: () => import("../webhook/list.ts") },
  {
    path: "webhook remove",
    summary: "tell an address nothing more",
    load: () => import("../webhook/remove.ts"),
  },
  {
    path: "skill",
    summary: "a SKILL.md that teaches agents this executable",
    load: () => import("../skill.ts"),
  },
  { path: "install", summary: "a service unit for any role", load: () => import("../install.ts") },
  { path: "mcp", summary: "tools for agents on stdin and stdout", load: () => import("../mcp.ts") },
  { path: "stream info", summary: "which streams there are", load: () => import("../stream/info.ts") },
  { path: "stream schema", summary: "the schema of their frames", load: () => import("../stream/schema.ts") },
  { path: "stream snapshot", summary: "a run as one frame", load: () => import("../stream/snapshot.ts") },
  {
    path: "token create",
    summary: "a bearer token for the gateway",
    load: () => import("../token/create.ts"),
  },
  {
    path: "token list",
    summary: "whose tokens allow what, until when",
    load: () => import("../token/list.ts"),
  },
  { path: "token revoke", summary: "take a token back", load: () => import("../token/revoke.ts") },
];
