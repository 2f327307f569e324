import { EXIT_TEXT } from "../exit.ts";
import { GLOBAL_FLAGS } from "../global-flags.ts";
import type { Paint } from "../paint.ts";
import type { FlagSpec } from "../spec.ts";
import { COMMANDS, GROUPS, membersOf } from "../table.ts";
import { tableText } from "../table-text.ts";

/** What `lightflow --help` prints. */
export function overview(paint: Paint): string {
  const rows = [...new Set(COMMANDS.map((row) => row.path.split(" ")[0]!))].map((first) => {
    const own = COMMANDS.find((row) => row.path === first);
    const below = membersOf(first).map((each) => each.path.slice(first.length + 1));
    const summary = own?.summary ?? GROUPS[first]?.summary ?? first;
    return [`  ${paint.bold(first)}`, below.length === 0 ? summary : `${summary}: ${below.join(", ")}`];
  });
  return [
    "lightflow runs AI pipelines that are TypeScript files, on leased runners, from one executable.\n",
    `\nUsage: lightflow <command> [arguments] [flags]\n`,
    `\n${paint.bold("Commands")}\n${tableText(rows)}`,
    `\n${paint.bold("Flags of every command")}\n${flagLines(GLOBAL_FLAGS, paint)}`,
    `\n${paint.bold("First steps")}\n`,
    tableText([
      ["  lightflow doctor", "is everything there?"],
      ["  lightflow init my-project", "write a project with a workflow"],
      ["  lightflow help exit-codes", "what the exit codes mean"],
    ]),
    "\nlightflow <command> --help shows each command with an example; lightflow --version the version.\n",
  ].join("");
}

/** What `lightflow run --help` prints. */
export function groupOverview(group: string, paint: Paint): string {
  const rows = membersOf(group).map((row) => [`  ${paint.bold(`lightflow ${row.path}`)}`, row.summary]);
  const [first] = membersOf(group);
  return [
    `lightflow ${group}: ${GROUPS[group]?.summary ?? group}\n`,
    `\n${paint.bold("Commands")}\n${tableText(rows)}`,
    `\n${paint.bold("Example")}\n  lightflow ${first?.path ?? group} --help\n`,
  ].join("");
}

/** One line a flag: its name and placeholder, what it is for, its default and variable. */
export function flagLines(flags: Readonly<Record<string, FlagSpec>>, paint: Paint): string {
  return tableText(
    Object.entries(flags).map(([name, flag]) => {
      const notes: string[] = [];
      if (flag.required) notes.push("required");
      if ("choices" in flag && flag.choices !== undefined) notes.push(flag.choices.join("|"));
      if (flag.type === "list" || flag.type === "pairs") notes.push("may be repeated");
      const fallback =
        "default" in flag && flag.default !== undefined ? String(flag.default) : flag.defaultText;
      if (fallback !== undefined) notes.push(`default: ${fallback}`);
      if (flag.env !== undefined) notes.push(`$${flag.env}`);
      const note = notes.length === 0 ? "" : ` ${paint.dim(`(${notes.join("; ")})`)}`;
      return [`  --${name}${flag.type === "boolean" ? "" : ` ${flag.value}`}`, `${flag.about}${note}`];
    }),
  );
}

/** What `lightflow help exit-codes` prints. */
export function exitCodes(own: Readonly<Record<number, string>> = EXIT_TEXT): string {
  return tableText(Object.entries(own).map(([code, text]) => [`  ${code.padStart(3)}`, text]));
}
