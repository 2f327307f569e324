import type { CommandRow } from "./row.ts";

/** Agents that tasks call. */
export const AGENTS: readonly CommandRow[] = [
  {
    path: "agent publish",
    summary: "publish an agent, its skills and its budgets",
    load: () => import("../agent/publish.ts"),
  },
  { path: "agent list", summary: "the published agents", load: () => import("../agent/list.ts") },
  {
    path: "agent serve",
    summary: "a published agent as a service of its own",
    load: () => import("../agent/serve.ts"),
  },
  { path: "agent get", summary: "one published agent", load: () => import("../agent/get.ts") },
];
