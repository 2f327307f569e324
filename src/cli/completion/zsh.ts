import { type Candidate, commandPaths, flagsWithValue, type Place, quoted } from "./model.ts";

/**
 * A completion script for zsh: sourced, or as `_lightflow` in a directory of `fpath`. No variable is named `path`,
 * which zsh ties to PATH.
 */
export function zshScript(places: readonly Place[]): string {
  const paths = commandPaths(places).map(quoted).join(" | ");
  const lines = [
    "#compdef lightflow",
    "_lightflow() {",
    '  local current="${words[CURRENT]}" previous="${words[CURRENT-1]}"',
    '  local command_path="" next_path="" word="" ids="" index count=0',
    "  local -a candidates flags",
    "  for ((index = 2; index < CURRENT; index++)); do",
    '    word="${words[index]}"',
    '    case "$word" in',
    `      (${flagsWithValue(places).join("|")}) index=$((index + 1)) ;;`,
    "      (-*) ;;",
    "      (*)",
    '        next_path="${command_path:+$command_path }$word"',
    `        case "$next_path" in (${paths}) command_path="$next_path" ;; (*) count=$((count + 1)) ;; esac`,
    "        ;;",
    "    esac",
    "  done",
    '  case "$command_path:$count" in',
    ...places.flatMap(({ path, ids }) =>
      ids.map(
        ({ at, andLater, ids: kind }) => `    (${quoted(`${path}:`)}${andLater ? "*" : at}) ids=${kind} ;;`,
      ),
    ),
    "  esac",
    '  [[ "$current" == -* ]] && ids=""',
    '  case "$command_path:$previous" in',
  ];
  for (const { path, values } of places) {
    for (const { flag, choices, ids, directory } of values) {
      if (ids !== undefined) {
        lines.push(`    (${quoted(`${path}:${flag}`)}) ids=${ids} ;;`);
        continue;
      }
      const action =
        choices.length > 0
          ? `compadd -- ${choices.map(quoted).join(" ")}`
          : directory
            ? "_files -/"
            : "_files";
      lines.push(`    (${quoted(`${path}:${flag}`)}) ${action}; return ;;`);
    }
  }
  lines.push(
    "  esac",
    '  if [[ -n "$ids" ]]; then',
    '    candidates=(${(f)"$(${~words[1]} completion ids "$ids" -- "$previous" 2>/dev/null </dev/null)"})',
    '    (( ${#candidates} )) && compadd -V ids -- "${candidates[@]}"',
    "    return",
    "  fi",
    '  case "$command_path" in',
  );
  for (const { path, words, flags } of places) {
    lines.push(`    (${quoted(path)})`);
    lines.push(`      candidates=(${words.map(described).join(" ")})`);
    lines.push(`      flags=(${flags.map(described).join(" ")})`);
    lines.push("      ;;");
  }
  lines.push(
    "  esac",
    '  if [[ "$current" == -* ]]; then',
    "    _describe 'flag' flags",
    "  elif (( ${#candidates} )); then",
    "    _describe 'argument' candidates",
    "  else",
    "    _files",
    "  fi",
    "}",
    'if [[ "${funcstack[1]}" == _lightflow ]]; then _lightflow "$@"; else compdef _lightflow lightflow; fi',
    "",
  );
  return lines.join("\n");
}

/** `word:description` for _describe, where a colon inside is escaped. */
function described({ word, about }: Candidate): string {
  return quoted(`${word.replaceAll(":", "\\:")}:${about.replaceAll(":", "\\:")}`);
}
