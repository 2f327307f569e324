import { nearest } from "../assets/nearest.ts";
import { fail } from "../base/errors.ts";
import type { CommandModule } from "./spec.ts";

/** One command: where it stands on the command line, what it is for, and the file that does it. */
export interface CommandRow {
  readonly path: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
  /** A group without its second word, asked for help: `run` shows it. */
  readonly group?: boolean;
}

/** Commands with a second word; `noun` is what messages call that word: `missing run action`. */
export const GROUPS: Readonly<Record<string, { readonly noun: string; readonly summary: string }>> = {
  run: { noun: "run action", summary: "start runs and look into them" },
  event: { noun: "event action", summary: "what workflows listen for" },
  ask: { noun: "ask action", summary: "what workflows ask" },
  workflow: { noun: "workflow action", summary: "check, convert and execute documents" },
  expression: { noun: "expression action", summary: "try the expression language" },
  runner: { noun: "runner action", summary: "be a runner, or approve one" },
  runners: { noun: "runners action", summary: "the runners of this control plane" },
  inbox: { noun: "inbox action", summary: "what waits for an operator" },
  ctx: { noun: "ctx action", summary: "CortexFS: models, providers, tools and threads as files" },
  db: { noun: "db action", summary: "check, back up and restore the store" },
  assets: { noun: "asset kind", summary: "what the project and this build offer" },
  config: { noun: "config action", summary: "the settings of this user" },
};

/** Every command, in the order of help. Loading is lazy: a call pays for its own command alone. */
export const COMMANDS: readonly CommandRow[] = [
  {
    path: "init",
    summary: "write a project with one working workflow",
    load: () => import("./init.ts"),
  },
  {
    path: "up",
    summary: "run everything on this machine: orchestrator, controller, runner, gateway",
    load: () => import("./up.ts"),
  },
  { path: "run start", summary: "start a run of a workflow", load: () => import("./run/start.ts") },
  { path: "run watch", summary: "follow a run to its end", load: () => import("./run/watch-run.ts") },
  { path: "run list", summary: "runs, newest first", load: () => import("./run/list.ts") },
  { path: "run get", summary: "one run: status, steps, output, error", load: () => import("./run/get.ts") },
  { path: "run wait", summary: "wait until a run has ended", load: () => import("./run/wait.ts") },
  { path: "run cancel", summary: "stop a run and what it is running", load: () => import("./run/cancel.ts") },
  { path: "run events", summary: "what happened in a run, as JSONL", load: () => import("./run/events.ts") },
  { path: "run logs", summary: "what the commands of a run wrote", load: () => import("./run/logs.ts") },
  {
    path: "run artifacts",
    summary: "what a run handed over, by digest",
    load: () => import("./run/artifacts.ts"),
  },
  {
    path: "event send",
    summary: "give an event to the workflows that listen for it",
    load: () => import("./event/send.ts"),
  },
  { path: "ask answer", summary: "answer what a workflow asks", load: () => import("./ask/answer.ts") },
  {
    path: "workflow run",
    summary: "execute one document to its end, without a server",
    load: () => import("./workflow/run.ts"),
  },
  {
    path: "workflow start",
    summary: "start a run of a document on the running host",
    load: () => import("./workflow/start.ts"),
  },
  {
    path: "workflow publish",
    summary: "give a document a name for other workflows to run",
    load: () => import("./workflow/publish.ts"),
  },
  {
    path: "workflow list",
    summary: "the published documents",
    load: () => import("./workflow/list.ts"),
  },
  {
    path: "workflow check",
    summary: "what is wrong with a document",
    load: () => import("./workflow/check.ts"),
  },
  {
    path: "workflow convert",
    summary: "a document from YAML to JSON, or back",
    load: () => import("./workflow/convert.ts"),
  },
  {
    path: "expression eval",
    summary: "run a jq program on a value",
    load: () => import("./expression/eval.ts"),
  },
  { path: "assets workflows", summary: "the workflows", load: () => import("./assets/workflows.ts") },
  { path: "assets nodes", summary: "the nodes", load: () => import("./assets/nodes.ts") },
  {
    path: "assets compositions",
    summary: "the compositions",
    load: () => import("./assets/compositions.ts"),
  },
  { path: "assets models", summary: "the models", load: () => import("./assets/models.ts") },
  {
    path: "assets show",
    summary: "one workflow: its inputs and steps",
    load: () => import("./assets/show.ts"),
  },
  { path: "serve", summary: "the HTTP gateway alone", load: () => import("./serve.ts") },
  { path: "orchestrator", summary: "the orchestrator role alone", load: () => import("./orchestrator.ts") },
  { path: "controller", summary: "the controller role alone", load: () => import("./controller.ts") },
  { path: "runner", summary: "the runner role alone", load: () => import("./runner.ts") },
  {
    path: "runner enroll",
    summary: "approve a runner and write its token",
    load: () => import("./runner/enroll.ts"),
  },
  { path: "runner exec", summary: "run one lease with no server", load: () => import("./runner/exec.ts") },
  {
    path: "runner doctor",
    summary: "try what a runner of this host would offer",
    load: () => import("./runner/doctor.ts"),
  },
  { path: "ctx mount", summary: "mount CortexFS", load: () => import("./ctx/mount.ts") },
  { path: "ctx serve", summary: "CortexFS as a plain directory", load: () => import("./ctx/serve.ts") },
  { path: "ctx status", summary: "what is mounted", load: () => import("./ctx/status.ts") },
  { path: "ctx umount", summary: "unmount CortexFS", load: () => import("./ctx/umount.ts") },
  {
    path: "runners list",
    summary: "runners, their sessions and sandboxes",
    load: () => import("./runners/list.ts"),
  },
  { path: "inbox list", summary: "what waits for an operator", load: () => import("./inbox/list.ts") },
  { path: "db check", summary: "whether the store is sound", load: () => import("./db/check.ts") },
  { path: "db backup", summary: "a consistent copy of the store", load: () => import("./db/backup.ts") },
  { path: "db restore", summary: "put a backup in the store's place", load: () => import("./db/restore.ts") },
  {
    path: "doctor",
    summary: "try each prerequisite and say how to get what is missing",
    load: () => import("./doctor.ts"),
  },
  {
    path: "config show",
    summary: "the settings in effect and where each comes from",
    load: () => import("./config/show.ts"),
  },
  {
    path: "config path",
    summary: "where the settings, state, cache and socket are",
    load: () => import("./config/path.ts"),
  },
  {
    path: "completion",
    summary: "a completion script for bash, zsh or fish",
    load: () => import("./completion.ts"),
  },
  {
    path: "help",
    summary: "how a command is used, or a topic such as exit-codes",
    load: () => import("./help.ts"),
  },
];

/** The command that the words name, and what is left of them. Unknown ones are refused with the nearest name. */
export function findCommand(
  words: readonly string[],
  asksHelp = false,
): {
  row: CommandRow;
  rest: readonly string[];
} {
  const [first, second] = words as [string, string | undefined];
  if (first.startsWith("-")) {
    throw fail("usage", `unexpected argument for lightflow: ${first}`, { hint: "see lightflow --help" });
  }
  // Two words first: `runner` is a command, and `runner enroll` another.
  const pair = COMMANDS.find((row) => row.path === `${first} ${second}`);
  if (pair !== undefined) return { row: pair, rest: words.slice(2) };
  const single = COMMANDS.find((row) => row.path === first);
  if (single !== undefined) return { row: single, rest: words.slice(1) };

  const members = membersOf(first);
  if (members.length === 0) {
    const names = [...new Set(COMMANDS.map((row) => row.path.split(" ")[0]!))];
    const near = nearest(first, names, "did you mean ");
    throw fail("usage", `unknown command: ${first}`, {
      hint: near === "" ? "see lightflow --help" : `${near}?`,
    });
  }
  const noun = GROUPS[first]?.noun ?? `${first} action`;
  const names = members.map((row) => row.path.slice(first.length + 1));
  if (second === undefined || second.startsWith("-")) {
    if (asksHelp || words.includes("--help") || words.includes("-h"))
      return { row: groupHelp(first), rest: [] };
    throw fail("usage", `missing ${noun}`, { hint: `one of ${names.join(", ")}` });
  }
  const near = nearest(second, names, "did you mean ");
  throw fail("usage", `${noun} must be ${names.join("|")}: ${second}`, {
    hint: near === "" ? `see lightflow ${first} --help` : `${near}?`,
  });
}

/** The commands of a group. */
export function membersOf(group: string): readonly CommandRow[] {
  return COMMANDS.filter((row) => row.path.startsWith(`${group} `));
}

/** `lightflow run --help` lists the group. */
function groupHelp(group: string): CommandRow {
  return {
    path: group,
    group: true,
    summary: GROUPS[group]?.summary ?? group,
    load: async () => {
      const help = await import("./help.ts");
      return { spec: { examples: [] }, run: (_args: never, io) => help.showGroup(group, io) };
    },
  };
}
