import type { CommandRow } from "./row.ts";

/** The roles and what operators do with them. */
export const CONTROL_PLANE: readonly CommandRow[] = [
  { path: "serve", summary: "the HTTP gateway alone", load: () => import("../serve.ts") },
  { path: "orchestrator", summary: "the orchestrator role alone", load: () => import("../orchestrator.ts") },
  { path: "controller", summary: "the controller role alone", load: () => import("../controller.ts") },
  { path: "runner", summary: "the runner role alone", load: () => import("../runner.ts") },
  {
    path: "runner enroll",
    summary: "approve a runner and write its token",
    load: () => import("../runner/enroll.ts"),
  },
  {
    path: "runner describe",
    summary: "what a runner here is, for its approval",
    load: () => import("../runner/describe.ts"),
  },
  { path: "runner exec", summary: "run one lease with no server", load: () => import("../runner/exec.ts") },
  { path: "runner import", summary: "bring an image to a runner", load: () => import("../runner/import.ts") },
  { path: "runner images", summary: "the images of a runner", load: () => import("../runner/images.ts") },
  {
    path: "runner install",
    summary: "write a service unit for a runner",
    load: () => import("../runner/install.ts"),
  },
  {
    path: "runner frozen",
    summary: "what tasks left on this host, kept by policy",
    load: () => import("../runner/frozen.ts"),
  },
  { path: "runner probe", summary: "whether a runner is ready", load: () => import("../runner/probe.ts") },
  {
    path: "runner doctor",
    summary: "try what a runner of this host would offer",
    load: () => import("../runner/doctor.ts"),
  },
  {
    path: "runners list",
    summary: "runners, their sessions and sandboxes",
    load: () => import("../runners/list.ts"),
  },
  {
    path: "runners show",
    summary: "one runner: approved, pinned, reported",
    load: () => import("../runners/show.ts"),
  },
  {
    path: "runners approve",
    summary: "accept what a runner reports",
    load: () => import("../runners/approve.ts"),
  },
  {
    path: "runners quarantine",
    summary: "take a runner out at once",
    load: () => import("../runners/quarantine.ts"),
  },
  { path: "runners release", summary: "end a quarantine", load: () => import("../runners/release.ts") },
  {
    path: "runners drain",
    summary: "ask a runner to take no more",
    load: () => import("../runners/drain.ts"),
  },
  {
    path: "runners audit",
    summary: "ask a runner to show what it runs with",
    load: () => import("../runners/audit.ts"),
  },
  { path: "audit tail", summary: "decisions of the control plane", load: () => import("../audit/tail.ts") },
  { path: "audit show", summary: "one decision", load: () => import("../audit/show.ts") },
  {
    path: "audit verify",
    summary: "whether the chain of decisions holds",
    load: () => import("../audit/verify.ts"),
  },
  {
    path: "audit export",
    summary: "the chain as a file that verifies by itself",
    load: () => import("../audit/export.ts"),
  },
  {
    path: "audit prune",
    summary: "export old decisions, then remove them",
    load: () => import("../audit/prune.ts"),
  },
];
