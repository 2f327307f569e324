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
  {
    path: "run preview",
    summary: "what a run would send where; writes nothing",
    load: () => import("../run/preview.ts"),
  },
  {
    path: "run create",
    summary: "plan a run that you take step by step",
    load: () => import("../run/create.ts"),
  },
  {
    path: "run submit",
    summary: "commit the request of one step into CortexFS",
    load: () => import("../run/submit.ts"),
  },
  { path: "run refresh", summary: "look what CortexFS answered", load: () => import("../run/refresh.ts") },
  {
    path: "run status",
    summary: "how many steps of a run stand where",
    load: () => import("../run/status.ts"),
  },
  { path: "run request", summary: "the request that made a run", load: () => import("../run/request.ts") },
  {
    path: "run workflow",
    summary: "the definition that a run keeps",
    load: () => import("../run/workflow.ts"),
  },
  {
    path: "run trace",
    summary: "what a run read and wrote outside itself, as JSONL",
    load: () => import("../run/trace.ts"),
  },
  {
    path: "run export",
    summary: "a run as a directory of JSON files",
    load: () => import("../run/export.ts"),
  },
  { path: "run why", summary: "why a step was cached or run", load: () => import("../run/why.ts") },
  {
    path: "cache show",
    summary: "how many outputs of steps are kept",
    load: () => import("../cache/show.ts"),
  },
  { path: "cache prune", summary: "forget outputs of steps", load: () => import("../cache/prune.ts") },
  { path: "artifact put", summary: "store a file by its digest", load: () => import("../artifact/put.ts") },
  {
    path: "provenance verify",
    summary: "whether a file is what its signed provenance says",
    load: () => import("../provenance/verify.ts"),
  },
  { path: "artifact get", summary: "the bytes of a digest", load: () => import("../artifact/get.ts") },
  {
    path: "artifact list",
    summary: "what runs handed over and wrote, and what was handed in",
    load: () => import("../artifact/list.ts"),
  },
  {
    path: "artifact show",
    summary: "where an artifact comes from, how long it is kept, what holds it",
    load: () => import("../artifact/show.ts"),
  },
  {
    path: "artifact verify",
    summary: "compare an artifact's bytes with its digest",
    load: () => import("../artifact/verify.ts"),
  },
  {
    path: "artifact hold",
    summary: "keep an artifact or a run, whatever retention says",
    load: () => import("../artifact/hold.ts"),
  },
  {
    path: "artifact release",
    summary: "end a legal hold",
    load: () => import("../artifact/release.ts"),
  },
  { path: "artifact holds", summary: "legal holds", load: () => import("../artifact/holds.ts") },
  {
    path: "artifact gc",
    summary: "remove what retention keeps no longer",
    load: () => import("../artifact/gc.ts"),
  },
  {
    path: "artifact quarantine",
    summary: "uploads that were not what they were announced as",
    load: () => import("../artifact/quarantine.ts"),
  },
  {
    path: "artifact discard",
    summary: "remove an upload from the quarantine",
    load: () => import("../artifact/discard.ts"),
  },
  { path: "run retry", summary: "try a run again from a step on", load: () => import("../run/retry.ts") },
  {
    path: "run rerun",
    summary: "run a workflow again with some inputs changed",
    load: () => import("../run/rerun.ts"),
  },
  {
    path: "run replay",
    summary: "run the stored definition again and report drift",
    load: () => import("../run/replay.ts"),
  },
  { path: "run compare", summary: "where two runs differ", load: () => import("../run/compare.ts") },
  { path: "run rate", summary: "keep a judgement with a run", load: () => import("../run/rate.ts") },
  {
    path: "run sweep",
    summary: "a run for each combination of values",
    load: () => import("../run/sweep.ts"),
  },
  { path: "run prune", summary: "remove ended runs", load: () => import("../run/prune.ts") },
  { path: "batch run", summary: "run every line of a file of jobs", load: () => import("../batch/run.ts") },
  { path: "batch resume", summary: "go on with a batch", load: () => import("../batch/resume.ts") },
  { path: "batch list", summary: "batches, newest first", load: () => import("../batch/list.ts") },
];
