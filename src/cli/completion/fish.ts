import { commandPaths, flagsWithValue, type Place } from "./model.ts";

/** A completion script for fish 3 or later. */
export function fishScript(places: readonly Place[]): string {
  const lines = [
    "# lightflow completion for fish",
    "function __lightflow_place",
    "    set -l command ''",
    "    set -l skip 0",
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
    `                contains -- $next ${commandPaths(places).map(fishQuoted).join(" ")}; and set command $next`,
    "        end",
    "    end",
    "    echo $command",
    "end",
    "function __lightflow_at",
    "    test (__lightflow_place) = $argv[1]",
    "end",
    "complete -c lightflow -e",
  ];
  for (const { path, words, flags, values } of places) {
    const here = `complete -c lightflow -n ${fishQuoted(`__lightflow_at ${fishQuoted(path)}`)}`;
    if (words.length > 0) lines.push(`${here} -f`);
    for (const { word, about } of words) lines.push(`${here} -a ${fishQuoted(word)} -d ${fishQuoted(about)}`);
    for (const { word, about } of flags) {
      const value = values.find((each) => each.flag === word);
      const takes =
        value === undefined
          ? ""
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
