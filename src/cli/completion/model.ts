import { GLOBAL_FLAGS } from "../global-flags.ts";
import type { FlagSpec } from "../spec.ts";
import { COMMANDS, GROUPS, membersOf } from "../table.ts";

/** A word that can stand at some place, and what it is for. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What a flag's value can be: words, a directory, or anything (then files are offered). */
export interface ValueModel {
  readonly flag: string;
  readonly choices: readonly string[];
  readonly directory: boolean;
}

/** What can come behind one path of command words; the empty path is `lightflow` itself. */
export interface Place {
  readonly path: string;
  readonly words: readonly Candidate[];
  readonly flags: readonly Candidate[];
  readonly values: readonly ValueModel[];
}

/** Every place of the command line. Loads all commands. */
export async function completionModel(): Promise<readonly Place[]> {
  const globals = Object.entries(GLOBAL_FLAGS) as [string, FlagSpec][];
  const firsts: Candidate[] = [];
  const groups: Place[] = [];
  const leaves: Place[] = [];
  for (const row of COMMANDS) {
    const [first] = row.path.split(" ") as [string];
    if (row.path === first) firsts.push({ word: first, about: row.summary });
    else if (!groups.some((group) => group.path === first)) {
      firsts.push({ word: first, about: GROUPS[first]?.summary ?? first });
      const words = membersOf(first).map((each) => ({
        word: each.path.slice(first.length + 1),
        about: each.summary,
      }));
      groups.push(place(first, words, globals));
    }
    const { spec } = await row.load();
    const words = (spec.positionals ?? []).flatMap((each) =>
      (each.choices ?? []).map((word) => ({ word, about: each.label })),
    );
    leaves.push(place(row.path, words, [...Object.entries(spec.flags ?? {}), ...globals]));
  }
  return [place("", firsts, globals), ...groups, ...leaves];
}

function place(path: string, words: readonly Candidate[], flags: readonly [string, FlagSpec][]): Place {
  return {
    path,
    words,
    flags: flags.map(([name, flag]) => ({ word: `--${name}`, about: flag.about })),
    values: flags.flatMap(([name, flag]) =>
      flag.type === "boolean"
        ? []
        : [
            {
              flag: `--${name}`,
              choices: "choices" in flag ? (flag.choices ?? []) : [],
              directory: flag.value === "DIR",
            },
          ],
    ),
  };
}

/** Flags with a value anywhere: what follows them is never a command word. */
export function flagsWithValue(places: readonly Place[]): string[] {
  return [...new Set(places.flatMap((each) => each.values.map((value) => value.flag)))];
}

/** The paths that can grow by a word into a longer path. */
export function commandPaths(places: readonly Place[]): string[] {
  return places.map((each) => each.path).filter((path) => path !== "");
}

/** One word of shell in single quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
