import { commandPaths, flagsWithValue, type Place } from "./model.ts";

/** A completion script for fish 3 or later. */
export function fishScript(places: readonly Place[]): string {
  const lines = [
    "# lightflow completion for fish",
    "function __lightflow_place",
    "    set -l command ''",
    "    set -l skip 0",
    "    set -l count 0",
    "    for word in (commandline -opc)[2..-1]",
    "        if test $skip = 1",
    "            set skip 0",
    "            continue",
    "        end",
    "        switch $word",
    `            case ${flagsWithValue(places).join(" ")}`,
    "                set skip 1",
    "            case '-*'",
    "            case '*'",
    '                set -l next (string trim -- "$command $word")',
    `                contains -- $next ${commandPaths(places).map(fishQuoted).join(" ")}; and set command $next; or set count (math $count + 1)`,
    "        end",
    "    end",
    "    printf '%s\\n' $command $count",
    "end",
    "function __lightflow_at",
    "    set -l place (__lightflow_place)",
    '    test "$place[1]" = $argv[1]; or return 1',
    '    test (count $argv) = 1; or test $place[2] = $argv[2]; or test "$argv[3]" = later -a $place[2] -ge $argv[2]',
    "end",
    "function __lightflow_ids",
    "    set -l words (commandline -opc)",
    "    set -l program (string replace -r '^~/' \"$HOME/\" -- $words[1])",
    "    $program completion ids $argv[1] -- $words[-1] 2>/dev/null </dev/null",
    "end",
    "complete -c lightflow -e",
  ];
  for (const { path, words, flags, values, ids } of places) {
    const here = `complete -c lightflow -n ${fishQuoted(`__lightflow_at ${fishQuoted(path)}`)}`;
    for (const { at, andLater, ids: kind } of ids) {
      const there = `__lightflow_at ${fishQuoted(path)} ${at}${andLater ? " later" : ""}`;
      lines.push(
        `complete -c lightflow -n ${fishQuoted(there)} -f -k -a ${fishQuoted(`(__lightflow_ids ${kind})`)}`,
      );
    }
    if (words.length > 0) lines.push(`${here} -f`);
    for (const { word, about } of words) lines.push(`${here} -a ${fishQuoted(word)} -d ${fishQuoted(about)}`);
    for (const { word, about } of flags) {
      const value = values.find((each) => each.flag === word);
      const takes =
        value === undefined
          ? ""
          : value.ids !== undefined
            ? ` -x -k -a ${fishQuoted(`(__lightflow_ids ${value.ids})`)}`
            : value.choices.length > 0
              ? ` -x -a ${fishQuoted(value.choices.join(" "))}`
              : value.directory
                ? " -x -a '(__fish_complete_directories)'"
                : " -r";
      lines.push(`${here} -l ${word.slice(2)}${takes} -d ${fishQuoted(about)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
