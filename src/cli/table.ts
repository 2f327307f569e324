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
  const row = members.find((each) => each.path === `${first} ${second}`);
  if (row !== undefined) return { row, rest: words.slice(2) };
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
