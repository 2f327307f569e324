import type { CommandRow } from "./row.ts";

/** What waits, what runs, and what an operator has to decide. */
export const QUEUE: readonly CommandRow[] = [
  { path: "queue", summary: "tasks that wait for a runner", load: () => import("../queue.ts") },
  { path: "leases", summary: "which runner has which task", load: () => import("../leases.ts") },
  { path: "tasks why", summary: "why a task is not running", load: () => import("../tasks/why.ts") },
  {
    path: "attempts resolve",
    summary: "decide about an attempt whose outcome nobody knows",
    load: () => import("../attempts/resolve.ts"),
  },
  { path: "inbox list", summary: "what waits for an operator", load: () => import("../inbox/list.ts") },
  { path: "inbox show", summary: "one operator task", load: () => import("../inbox/show.ts") },
  {
    path: "inbox resolve",
    summary: "close an operator task that was dealt with",
    load: () => import("../inbox/resolve.ts"),
  },
];
