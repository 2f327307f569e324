import { commandPaths, flagsWithValue, type Place, quoted } from "./model.ts";

/** A completion script for bash 3.2 or later; needs no bash-completion package. */
export function bashScript(places: readonly Place[]): string {
  const paths = commandPaths(places).map(quoted).join(" | ");
  const lines = [
    "# lightflow completion for bash",
    "_lightflow() {",
    '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
    '  local command="" next="" word="" words="" ids="" line="" index count=0',
    "  for ((index = 1; index < COMP_CWORD; index++)); do",
    '    word="${COMP_WORDS[index]}"',
    '    case "$word" in',
    `      ${flagsWithValue(places).join(" | ")}) index=$((index + 1)) ;;`,
    "      -*) ;;",
    "      *)",
    '        next="${command:+$command }$word"',
    `        case "$next" in ${paths}) command="$next" ;; *) count=$((count + 1)) ;; esac`,
    "        ;;",
    "    esac",
    "  done",
    '  case "$command:$count" in',
    ...places.flatMap(({ path, ids }) =>
      ids.map(
        ({ at, andLater, ids: kind }) => `    ${quoted(`${path}:`)}${andLater ? "*" : at}) ids=${kind} ;;`,
      ),
    ),
    "  esac",
    '  [[ "$current" == -* ]] && ids=""',
    '  case "$command:$previous" in',
  ];
  for (const { path, values } of places) {
    for (const { flag, choices, ids, directory } of values) {
      if (ids !== undefined) {
        lines.push(`    ${quoted(`${path}:${flag}`)}) ids=${ids} ;;`);
        continue;
      }
      const action =
        choices.length > 0
          ? `COMPREPLY=($(compgen -W ${quoted(choices.join(" "))} -- "$current"))`
          : `COMPREPLY=($(compgen ${directory ? "-d" : "-f"} -- "$current")); compopt -o filenames 2>/dev/null`;
      lines.push(`    ${quoted(`${path}:${flag}`)}) ${action}; return ;;`);
    }
  }
  lines.push(
    "  esac",
    '  if [[ -n "$ids" ]]; then',
    "    COMPREPLY=()",
    "    while IFS= read -r line; do",
    '      [[ "$line" == "$current"* ]] && COMPREPLY+=("$line")',
    `    done < <("\${COMP_WORDS[0]/#\\~\\//$HOME/}" completion ids "$ids" -- "$previous" 2>/dev/null </dev/null)`,
    "    return",
    "  fi",
    '  case "$command" in',
  );
  for (const { path, words, flags } of places) {
    lines.push(`    ${quoted(path)})`);
    lines.push(`      words=${quoted(words.map((each) => each.word).join(" "))}`);
    lines.push(`      [[ "$current" == -* ]] && words=${quoted(flags.map((each) => each.word).join(" "))}`);
    lines.push("      ;;");
  }
  lines.push(
    "  esac",
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    "}",
    "complete -o default -F _lightflow lightflow",
    "",
  );
  return lines.join("\n");
}
