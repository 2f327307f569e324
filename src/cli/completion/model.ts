import { GLOBAL_FLAGS } from "../global-flags.ts";
import type { FlagSpec, IdKind, PositionalSpec } from "../spec.ts";
import { COMMANDS, GROUPS, membersOf } from "../table.ts";

/** A word that can stand at some place, and what it is for. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What a flag's value can be: words, ids, a directory, or anything (then files are offered). */
export interface ValueModel {
  readonly flag: string;
  readonly choices: readonly string[];
  readonly ids: IdKind | undefined;
  readonly directory: boolean;
}

/** An argument that is an id: how many arguments stand before it, or where all of them are such ids from there on. */
export interface IdModel {
  readonly at: number;
  readonly andLater: boolean;
  readonly ids: IdKind;
}

/** What can come behind one path of command words; the empty path is `lightflow` itself. */
export interface Place {
  readonly path: string;
  readonly words: readonly Candidate[];
  readonly flags: readonly Candidate[];
  readonly values: readonly ValueModel[];
  readonly ids: readonly IdModel[];
}

/** Every place of the command line. Loads all commands. */
export async function completionModel(): Promise<readonly Place[]> {
  const globals = Object.entries(GLOBAL_FLAGS) as [string, FlagSpec][];
  const firsts: Candidate[] = [];
  const groups: Place[] = [];
  const leaves: Place[] = [];
  for (const first of new Set(COMMANDS.map((row) => row.path.split(" ")[0]!))) {
    const own = COMMANDS.find((row) => row.path === first);
    firsts.push({ word: first, about: own?.summary ?? GROUPS[first]?.summary ?? first });
    if (own === undefined) groups.push(place(first, wordsBelow(first), globals));
  }
  for (const row of COMMANDS) {
    const { spec } = await row.load();
    const positionals = spec.positionals ?? [];
    const words = positionals.flatMap((each) =>
      (each.choices ?? []).map((word) => ({ word, about: each.label })),
    );
    const flags = [...Object.entries(spec.flags ?? {}), ...globals];
    const commands = row.path === "help" ? firsts : [];
    leaves.push(place(row.path, [...commands, ...wordsBelow(row.path), ...words], flags, positionals));
  }
  return [place("", firsts, globals), ...groups, ...leaves];
}

/** The second words of a path's commands. */
function wordsBelow(path: string): Candidate[] {
  return membersOf(path).map((each) => ({ word: each.path.slice(path.length + 1), about: each.summary }));
}

function place(
  path: string,
  words: readonly Candidate[],
  flags: readonly [string, FlagSpec][],
  positionals: readonly PositionalSpec[] = [],
): Place {
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
              ids: "ids" in flag ? flag.ids : undefined,
              directory: flag.value === "DIR",
            },
          ],
    ),
    ids: positionals.flatMap(({ ids, rest }, at) =>
      ids === undefined ? [] : [{ at, andLater: rest === true, ids }],
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
