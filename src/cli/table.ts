import { nearest } from "../assets/nearest.ts";
import { fail } from "../base/errors.ts";
import { AGENTS } from "./commands/agents.ts";
import { APPROVALS } from "./commands/approvals.ts";
import { AUTHORING } from "./commands/authoring.ts";
import { CONTROL_PLANE } from "./commands/control-plane.ts";
import { CTX } from "./commands/ctx.ts";
import { POLICY } from "./commands/policy.ts";
import { QUEUE } from "./commands/queue.ts";
import type { CommandRow } from "./commands/row.ts";
import { RUNS } from "./commands/runs.ts";
import { START } from "./commands/start.ts";
import { SURFACES } from "./commands/surfaces.ts";
import { UPKEEP } from "./commands/upkeep.ts";
import { WORKFLOWS } from "./commands/workflows.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";

export type { CommandRow };

/** Commands with a second word; `noun` is what messages call that word: `missing run action`. */
export const GROUPS: Readonly<Record<string, { readonly noun: string; readonly summary: string }>> = {
  run: { noun: "run action", summary: "start runs and look into them" },
  cache: { noun: "cache action", summary: "outputs of steps that are kept" },
  artifact: { noun: "artifact action", summary: "bytes by their digest" },
  batch: { noun: "batch action", summary: "many runs from a file of jobs" },
  event: { noun: "event action", summary: "what workflows listen for" },
  ask: { noun: "ask action", summary: "what workflows ask" },
  workflow: { noun: "workflow action", summary: "check, convert and execute documents" },
  secret: { noun: "secret action", summary: "what workflows may know and nobody may see" },
  expression: { noun: "expression action", summary: "try the expression language" },
  runner: { noun: "runner action", summary: "be a runner, or approve one" },
  runners: { noun: "runners action", summary: "the runners of this control plane" },
  stream: { noun: "stream action", summary: "runs as they happen, for programs" },
  webhook: { noun: "webhook action", summary: "signed messages about what happens" },
  token: { noun: "token action", summary: "who may call the gateway from elsewhere" },
  tasks: { noun: "tasks action", summary: "tasks that runners execute" },
  attempts: { noun: "attempts action", summary: "attempts of tasks whose outcome is open" },
  policy: { noun: "policy action", summary: "what tasks may do, and which layer says so" },
  profile: { noun: "profile action", summary: "execution profiles: the base that policies narrow" },
  template: { noun: "template action", summary: "commands that an operator approved" },
  pool: { noun: "pool action", summary: "where tasks may be sent" },
  tenant: { noun: "tenant action", summary: "tenants as policy knows them" },
  audit: { noun: "audit action", summary: "what was done, and by whom" },
  agent: { noun: "agent action", summary: "agents that tasks call" },
  approvals: { noun: "approvals action", summary: "what tasks do only once somebody agrees" },
  inbox: { noun: "inbox action", summary: "what waits for an operator" },
  ctx: { noun: "ctx action", summary: "CortexFS: models, providers, tools and threads as files" },
  provenance: { noun: "provenance action", summary: "where an artifact comes from, and who signed it" },
  db: { noun: "db action", summary: "check, back up and restore the store" },
  models: { noun: "models action", summary: "the files of models" },
  assets: { noun: "asset kind", summary: "what the project and this build offer" },
  config: { noun: "config action", summary: "the settings of this user" },
};

/** Every command, in the order of help. Loading is lazy: a call pays for its own command alone. */
export const COMMANDS: readonly CommandRow[] = [
  ...START,
  ...RUNS,
  ...WORKFLOWS,
  ...AUTHORING,
  ...CONTROL_PLANE,
  ...SURFACES,
  ...QUEUE,
  ...APPROVALS,
  ...AGENTS,
  ...POLICY,
  ...CTX,
  ...UPKEEP,
];

/** The command that the words name, and what is left of them. Unknown ones are refused with the nearest name. */
export function findCommand(
  words: readonly string[],
  asksHelp = false,
  /** Other first words that would do. */
  others: readonly string[] = [],
): {
  row: CommandRow;
  rest: readonly string[];
} {
  const [first, second] = words as [string, string | undefined];
  if (first.startsWith("-")) {
    const near = nearest(
      first,
      [...Object.keys(GLOBAL_FLAGS).map((name) => `--${name}`), "--version"],
      "did you mean ",
    );
    throw fail("usage", `unexpected argument for lightflow: ${first}`, {
      hint: near === "" ? "see lightflow --help" : `${near}?`,
    });
  }
  // Two words first: `runner` is a command, and `runner enroll` another.
  const pair = COMMANDS.find((row) => row.path === `${first} ${second}`);
  if (pair !== undefined) return { row: pair, rest: words.slice(2) };
  const single = COMMANDS.find((row) => row.path === first);
  if (single !== undefined) return { row: single, rest: words.slice(1) };

  const members = membersOf(first);
  if (members.length === 0) {
    const names = [...new Set(COMMANDS.map((row) => row.path.split(" ")[0]!))];
    const near = nearest(first, [...names, ...others], "did you mean ");
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
