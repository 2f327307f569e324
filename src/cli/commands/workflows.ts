import type { CommandRow } from "./row.ts";

/** Workflow documents, and what goes between them and the outside. */
export const WORKFLOWS: readonly CommandRow[] = [
  {
    path: "event send",
    summary: "give an event to workflows, or start one by it",
    load: () => import("../event/send.ts"),
  },
  { path: "event list", summary: "events that came in", load: () => import("../event/list.ts") },
  { path: "event show", summary: "one event with its content", load: () => import("../event/show.ts") },
  {
    path: "event repair",
    summary: "decide about an event that could not be handled",
    load: () => import("../event/repair.ts"),
  },
  {
    path: "event lanes",
    summary: "how far the lanes of start events are worked off",
    load: () => import("../event/lanes.ts"),
  },
  { path: "ask answer", summary: "answer what a workflow asks", load: () => import("../ask/answer.ts") },
  {
    path: "workflow run",
    summary: "execute one document to its end, without a server",
    load: () => import("../workflow/run.ts"),
  },
  {
    path: "workflow start",
    summary: "start a run of a document on the running host",
    load: () => import("../workflow/start.ts"),
  },
  {
    path: "workflow publish",
    summary: "give a document a name for other workflows to run",
    load: () => import("../workflow/publish.ts"),
  },
  {
    path: "workflow list",
    summary: "the published documents",
    load: () => import("../workflow/list.ts"),
  },
  { path: "workflow get", summary: "one published document", load: () => import("../workflow/get.ts") },
  {
    path: "workflow diff",
    summary: "what differs between two documents",
    load: () => import("../workflow/diff.ts"),
  },
  {
    path: "workflow signal",
    summary: "give an event to one run alone",
    load: () => import("../workflow/signal.ts"),
  },
  {
    path: "workflow schedules",
    summary: "what starts by itself; pause it, let it go on",
    load: () => import("../workflow/schedules.ts"),
  },
  {
    path: "workflow check",
    summary: "what is wrong with a document",
    load: () => import("../workflow/check.ts"),
  },
  {
    path: "workflow convert",
    summary: "a document from YAML to JSON, or back",
    load: () => import("../workflow/convert.ts"),
  },
  { path: "secret set", summary: "give a secret its value", load: () => import("../secret/set.ts") },
  {
    path: "secret list",
    summary: "the names of the secrets, never their values",
    load: () => import("../secret/list.ts"),
  },
  { path: "secret rm", summary: "forget a secret", load: () => import("../secret/rm.ts") },
  {
    path: "expression eval",
    summary: "run a jq program on a value",
    load: () => import("../expression/eval.ts"),
  },
];
