import { EXIT_TEXT } from "../exit.ts";
import type { Paint } from "../paint.ts";
import type { CommandSpec, PositionalSpec } from "../spec.ts";
import { type CommandRow, membersOf } from "../table.ts";
import { tableText } from "../table-text.ts";
import { exitCodes, flagLines } from "./overview.ts";

/** What `lightflow <command> --help` prints. */
export function commandHelp(row: CommandRow, spec: CommandSpec, paint: Paint): string {
  const positionals = spec.positionals ?? [];
  const flags = spec.flags ?? {};
  const usage = [
    `lightflow ${row.path}`,
    ...positionals.map(placeholder),
    ...(Object.keys(flags).length > 0 ? ["[flags]"] : []),
  ].join(" ");
  const parts = [`lightflow ${row.path}: ${row.summary}\n`, `\nUsage: ${usage}\n`];
  if (spec.description !== undefined) parts.push(`\n${wrapped(spec.description.trim())}\n`);
  if (positionals.length > 0) {
    const rows = positionals.map((each) => {
      const choices = each.choices === undefined ? "" : ` ${paint.dim(`(${each.choices.join("|")})`)}`;
      return [`  ${placeholder(each)}`, `${each.about ?? each.label}${choices}`];
    });
    parts.push(`\n${paint.bold("Arguments")}\n${tableText(rows)}`);
  }
  if (Object.keys(flags).length > 0) parts.push(`\n${paint.bold("Flags")}\n${flagLines(flags, paint)}`);
  const below = membersOf(row.path);
  if (below.length > 0) {
    const rows = below.map((each) => [`  lightflow ${each.path}`, each.summary]);
    parts.push(`\n${paint.bold("Commands below it")}\n${tableText(rows)}`);
  }
  if (spec.examples.length > 0) {
    parts.push(`\n${paint.bold(spec.examples.length === 1 ? "Example" : "Examples")}\n`);
    for (const example of spec.examples)
      parts.push(`  ${paint.dim(`# ${example.does}`)}\n  ${example.command}\n`);
  }
  const own = spec.exits ?? {};
  const codes = { 0: EXIT_TEXT[0]!, 1: EXIT_TEXT[1]!, 2: EXIT_TEXT[2]!, ...own };
  parts.push(`\n${paint.bold("Exit codes")}\n${exitCodes(codes)}`);
  parts.push(`\nFlags of every command: lightflow --help\n`);
  return parts.join("");
}

const WIDTH = 100;

/** Lines no longer than a reader likes; line breaks of the text stay. */
function wrapped(text: string): string {
  return text
    .split("\n")
    .map((paragraph) => {
      const lines = [""];
      for (const word of paragraph.split(" ")) {
        const last = lines.at(-1)!;
        if (last === "") lines[lines.length - 1] = word;
        else if (last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(word);
      }
      return lines.join("\n");
    })
    .join("\n");
}

function placeholder(spec: PositionalSpec): string {
  const name = spec.rest ? `${spec.name}...` : spec.name;
  return spec.optional ? `[${name}]` : `<${name}>`;
}
