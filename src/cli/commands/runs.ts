import type { CommandRow } from "./row.ts";

/** Runs: start them, look into them. */
export const RUNS: readonly CommandRow[] = [
  { path: "run start", summary: "start a run of a workflow", load: () => import("../run/start.ts") },
  { path: "run watch", summary: "follow a run to its end", load: () => import("../run/watch-run.ts") },
  { path: "run list", summary: "runs, newest first", load: () => import("../run/list.ts") },
  { path: "run get", summary: "one run: status, steps, output, error", load: () => import("../run/get.ts") },
  { path: "run wait", summary: "wait until a run has ended", load: () => import("../run/wait.ts") },
  {
    path: "run cancel",
    summary: "stop a run and what it is running",
    load: () => import("../run/cancel.ts"),
  },
  {
    path: "run calls",
    summary: "calls whose outcome is not known",
    load: () => import("../run/calls.ts"),
  },
  {
    path: "run resolve",
    summary: "say what became of a call",
    load: () => import("../run/resolve.ts"),
  },
  {
    path: "run pause",
    summary: "let a run begin nothing new until it is resumed",
    load: () => import("../run/pause.ts"),
  },
  { path: "run resume", summary: "let a paused run go on", load: () => import("../run/resume.ts") },
  { path: "run events", summary: "what happened in a run, as JSONL", load: () => import("../run/events.ts") },
  { path: "run logs", summary: "what the commands of a run wrote", load: () => import("../run/logs.ts") },
  {
    path: "run artifacts",
    summary: "what a run handed over, by digest",
    load: () => import("../run/artifacts.ts"),
  },
];
