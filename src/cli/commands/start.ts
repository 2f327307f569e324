import type { CommandRow } from "./row.ts";

/** To begin with. */
export const START: readonly CommandRow[] = [
  {
    path: "init",
    summary: "write a project with one working workflow",
    load: () => import("../init.ts"),
  },
  {
    path: "up",
    summary: "run everything on this machine: orchestrator, controller, runner, gateway",
    load: () => import("../up.ts"),
  },
];
