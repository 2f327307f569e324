import { fail } from "../base/errors.ts";
import { EXIT_TEXT } from "./exit.ts";
import { commandHelp } from "./help/command.ts";
import { exitCodes, groupOverview, overview } from "./help/overview.ts";
import type { Io } from "./io.ts";
import { SETTINGS } from "./settings.ts";
import type { CommandSpec, Run } from "./spec.ts";
import { COMMANDS, findCommand, membersOf } from "./table.ts";
import { tableText } from "./table-text.ts";

const TOPICS = ["exit-codes", "environment"] as const;

export const spec = {
  description: `Topics: ${TOPICS.join(", ")}.`,
  positionals: [
    {
      name: "topic",
      label: "command or topic",
      about: "a command's words, or a topic",
      optional: true,
      rest: true,
    },
  ],
  examples: [
    { command: "lightflow help config show", does: "how one command is used" },
    { command: "lightflow help exit-codes", does: "what the exit codes mean" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const words = positionals.topic;
  if (words.length === 0) {
    io.stdout.write(overview(io.paint));
    return 0;
  }
  const [topic] = words as [string];
  if (words.length === 1 && topic === "exit-codes") {
    io.stdout.write(exitCodes(EXIT_TEXT));
    return 0;
  }
  if (words.length === 1 && topic === "environment") {
    io.stdout.write(environment());
    return 0;
  }
  if (words.length === 1 && membersOf(topic).length > 0 && !COMMANDS.some((row) => row.path === topic)) {
    return await showGroup(topic, io);
  }
  const { row, rest } = findCommand(words, false, TOPICS);
  if (rest.length > 0) throw fail("usage", `unexpected argument for help ${row.path}: ${rest[0]}`);
  const command = await row.load();
  io.stdout.write(commandHelp(row, command.spec, io.paint));
  return 0;
};

/** The commands of a group, for `lightflow run --help` and `lightflow help run`. */
export async function showGroup(group: string, io: Io): Promise<number> {
  io.stdout.write(groupOverview(group, io.paint));
  return 0;
}

function environment(): string {
  const rows = Object.entries(SETTINGS).map(([name, row]) => [
    `  ${row.env}`,
    `${row.about} (${name} in config.yaml${row.default === undefined ? "" : `; default: ${row.default}`})`,
  ]);
  return tableText([
    ...rows,
    ["  XDG_CONFIG_HOME, XDG_STATE_HOME", "where lightflow/ with config.yaml and with the store is"],
    ["  XDG_CACHE_HOME, XDG_RUNTIME_DIR", "where lightflow/ with the asset index and with the socket is"],
    ["  TMPDIR", "where the parser's native part is unpacked; must allow execution"],
    ["  NO_COLOR", "no colours"],
  ]);
}
