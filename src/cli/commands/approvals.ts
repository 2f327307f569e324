import type { CommandRow } from "./row.ts";

/** What waits for a person to agree. */
export const APPROVALS: readonly CommandRow[] = [
  {
    path: "approvals list",
    summary: "what waits for an approval",
    load: () => import("../approvals/list.ts"),
  },
  {
    path: "approvals show",
    summary: "what exactly would be done",
    load: () => import("../approvals/show.ts"),
  },
  {
    path: "approvals approve",
    summary: "let a task be done, once",
    load: () => import("../approvals/approve.ts"),
  },
  {
    path: "approvals reject",
    summary: "keep a task from being done",
    load: () => import("../approvals/reject.ts"),
  },
];
