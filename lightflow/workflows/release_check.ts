import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.release_check",
  title: "Release Check",
  kind: "workflow",
  description:
    "Clones a git repository, takes stock of it, checks it, and packs it when it is fit for release.",
  stability: "experimental",
  version: "1.0.0",
} as const satisfies AssetMeta;

/** git reads no configuration but what a script gives it, and never asks. */
const GIT = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };

/**
 * $1 repository, $2 ref. Leaves the checkout in source/ and gives {commit, ref}.
 *
 * The repository may belong to another user, whom git then refuses to serve; a clone only reads objects, and the
 * exception holds for this step alone. The configuration must be a file: git drops variables of its own when it
 * starts the serving side.
 */
const CLONE = String.raw`set -eu
die() { printf 'release_check: %s\n' "$1" >&2; exit 1; }
repository=$1 ref=$2
case $repository in /*) ;; *) die "the repository must be an absolute path: $repository" ;; esac
[ -d "$repository" ] || die "there is no directory $repository: give the path of a git repository"
printf '[safe]\n\tdirectory = *\n' >clone.gitconfig
GIT_CONFIG_GLOBAL=$PWD/clone.gitconfig
export GIT_CONFIG_GLOBAL
git -C "$repository" rev-parse --git-dir >/dev/null 2>&1 || die "$repository is not a git repository: run git init there, or give another path"
rm -rf source dist
git clone --quiet --no-hardlinks --no-checkout --template= -- "$repository" source
cd source
[ -n "$(git rev-list --all --max-count=1)" ] || die "the repository has no commit: make a first one, then run again"
commit=
for name in "$ref" "refs/remotes/origin/$ref"; do
  commit=$(git rev-parse --quiet --verify --end-of-options "$name^{commit}") && break
done
[ -n "$commit" ] || die "the repository has no commit named $ref: give ref a branch, a tag or a commit id"
git -c advice.detachedHead=false checkout --quiet --detach "$commit"
echo "checked out $commit"
printf '{"commit":"%s"}\n' "$commit" >"$LIGHTFLOW_OUTPUT"
`;

/**
 * An awk program that reads one JSON text, prints its top-level texts "name" and "version" (tab between key and
 * value), and ends with 1 and the place of the first fault when the text is not JSON.
 */
const READ_JSON = String.raw`
function bad(why) { printf "line %d: %s\n", NR, why; failed = 1; exit 1 }
function ended() { state = depth == 0 ? "end" : "next" }
NR == 1 { state = "value"; sub(/^\357\273\277/, "") }
{
  size = length($0)
  for (i = 1; i <= size; i++) {
    c = substr($0, i, 1)
    if (c == " " || c == "\t" || c == "\r") continue
    if (c == "\"") {
      if (state !~ /^(value|first|key|firstkey)$/) bad("unexpected text")
      from = i + 1
      for (i++; i <= size; i++) {
        c = substr($0, i, 1)
        if (c == "\"") break
        if (c == "\t") bad("a tab in a text")
        if (c != "\\") continue
        i++
        c = substr($0, i, 1)
        if (c == "u") {
          if (substr($0, i + 1, 4) !~ /^[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]$/) bad("a bad escape")
          i += 4
        } else if (index("\"\\/bfnrt", c) == 0 || c == "") bad("a bad escape")
      }
      if (i > size) bad("a text without end")
      text = substr($0, from, i - from)
      if (state == "key" || state == "firstkey") { key = text; state = "colon" }
      else {
        if (depth == 1 && kind[1] == "{" && (key == "name" || key == "version")) print key "\t" text
        ended()
      }
    } else if (c == "{" || c == "[") {
      if (state != "value" && state != "first") bad("unexpected " c)
      kind[++depth] = c
      state = c == "{" ? "firstkey" : "first"
    } else if (c == "}" || c == "]") {
      if (depth == 0 || kind[depth] != (c == "}" ? "{" : "[")) bad("unexpected " c)
      if (state != "next" && state != (c == "}" ? "firstkey" : "first")) bad("unexpected " c)
      depth--
      ended()
    } else if (c == ":") {
      if (state != "colon") bad("unexpected :")
      state = "value"
    } else if (c == ",") {
      if (state != "next") bad("unexpected ,")
      state = kind[depth] == "{" ? "key" : "value"
    } else {
      if (state != "value" && state != "first") bad("unexpected " c)
      rest = substr($0, i, 40)
      if (match(rest, /^(true|false|null)/)) i += RLENGTH - 1
      else if (match(rest, /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/)) i += RLENGTH - 1
      else bad("unexpected " c)
      ended()
    }
  }
}
END { if (!failed && state != "end") { print "the text ends too early"; exit 1 } }
`;

/** An awk program: the texts "name" and "version" of the tables of a TOML file that describe the package. */
const READ_TOML = String.raw`
/^[ \t]*\[/ { table = $0; gsub(/[][ \t\r]/, "", table); next }
table ~ /^(package|workspace\.package|project|tool\.poetry)$/ && /^[ \t]*(name|version)[ \t]*=[ \t]*"[^"\\]*"/ {
  split($0, parts, "\"")
  key = parts[1]
  gsub(/[ \t=]/, "", key)
  print key "\t" parts[2]
}
`;

/** An awk program: lines of "git diff --numstat" to "lines, files, language". */
const COUNT_LANGUAGES = String.raw`
BEGIN {
  FS = "\t"
  count = split("ts TypeScript tsx TypeScript mts TypeScript js JavaScript jsx JavaScript mjs JavaScript cjs JavaScript" \
    " py Python rs Rust go Go java Java kt Kotlin c C h C cc C++ cpp C++ hpp C++ cs C# rb Ruby php PHP swift Swift" \
    " scala Scala lua Lua pl Perl r R jl Julia hs Haskell ml OCaml ex Elixir erl Erlang clj Clojure zig Zig dart Dart" \
    " sh Shell bash Shell zsh Shell sql SQL html HTML css CSS scss CSS vue Vue svelte Svelte json JSON yaml YAML" \
    " yml YAML toml TOML xml XML md Markdown rst reStructuredText txt Text proto Protobuf tf Terraform nix Nix", words, " ")
  for (at = 1; at < count; at += 2) language[words[at]] = words[at + 1]
}
{
  path = $3
  sub(/"$/, "", path)
  sub(/.*\//, "", path)
  name = "Other"
  if (path == "Makefile" || path == "Dockerfile") name = path
  else if (path ~ /\./) {
    sub(/.*\./, "", path)
    if (tolower(path) in language) name = language[tolower(path)]
  }
  files[name]++
  lines[name] += $1 == "-" ? 0 : $1
}
END { for (name in files) printf "%d\t%d\t%s\n", lines[name], files[name], name }
`;

/** $1 repository, $2 READ_JSON, $3 READ_TOML, $4 COUNT_LANGUAGES. Gives the inventory of source/. */
const INVENTORY = String.raw`set -eu
cd source
# What a name may hold here is what a file name and a JSON text can hold without escapes.
plain() { printf '%s' "$1" | LC_ALL=C tr -c 'A-Za-z0-9._-' '-' | sed 's/^[-._]*//; s/--*/-/g; s/-*$//' | cut -c1-60; }
member() { awk -F '\t' -v key="$1" '$1 == key { print $2; exit }' ../manifest; }
: >../manifest
if [ -f package.json ] && [ ! -L package.json ]; then awk "$2" package.json >../manifest || : >../manifest
elif [ -f Cargo.toml ] && [ ! -L Cargo.toml ]; then awk "$3" Cargo.toml >../manifest
elif [ -f pyproject.toml ] && [ ! -L pyproject.toml ]; then awk "$3" pyproject.toml >../manifest
fi
name=$(plain "$(member name)")
[ -n "$name" ] || name=$(plain "$(basename "$1" .git)")
[ -n "$name" ] || name=source
version=$(plain "$(member version)")
[ -n "$version" ] || version=$(plain "$(git describe --tags --always | sed 's/^v\([0-9]\)/\1/')")
commit=$(git rev-parse --verify HEAD)
tree=$(git rev-parse --verify 'HEAD^{tree}')
commits=$(git rev-list --count HEAD)
empty=$(git hash-object -t tree /dev/null)
git diff --numstat --no-renames --no-ext-diff --no-textconv --ignore-submodules=all "$empty" HEAD >../numstat
awk "$4" ../numstat >../languages
sort -t "$(printf '\t')" -k1,1nr -k2,2nr -k3,3 ../languages >../languages.sorted
files=$(awk 'END { print NR }' ../numstat)
lines=$(awk -F '\t' '{ sum += $1 } END { printf "%d", sum }' ../languages)
languages=$(awk -F '\t' '{ printf "%s{\"name\":\"%s\",\"files\":%d,\"lines\":%d}", (NR > 1 ? "," : ""), $3, $2, $1 }' ../languages.sorted)
echo "$name $version: $files files, $lines lines, $commits commits"
awk -F '\t' '{ printf "%8d lines %6d files  %s\n", $1, $2, $3 }' ../languages.sorted
printf '{"name":"%s","version":"%s","commit":"%s","tree":"%s","commits":%s,"files":%s,"lines":%s,"languages":[%s]}\n' \
  "$name" "$version" "$commit" "$tree" "$commits" "$files" "$lines" "$languages" >"$LIGHTFLOW_OUTPUT"
`;

/** Checks the syntax of each script among its arguments; findings go to ../findings, what it did to ../scripts. */
const CHECK_SCRIPTS = String.raw`
unset BASH_ENV ENV
shown() { printf '%s' "$1" | LC_ALL=C tr -c '\040-\176' '?' | cut -c1-300; }
for path; do
  first=$(head -c 128 "$path" | tr -d '\000' | sed -n 1p)
  case $first in
    '#!'*bash*) shell=bash ;;
    '#!'*/sh | '#!'*/sh' '* | '#!'*/dash* | '#!'*'env sh'* | '#!'*' sh') shell=sh ;;
    '#!'*) continue ;;
    *) case $path in *.sh | *.bash) shell=bash ;; *) continue ;; esac ;;
  esac
  if [ "$shell" = bash ] && ! command -v bash >/dev/null; then
    case $path in *.bash) echo skipped >>../scripts; continue ;; esac
    case $first in *bash*) echo skipped >>../scripts; continue ;; esac
    shell=sh
  fi
  echo checked >>../scripts
  message=$("$shell" -n "$path" 2>&1) || printf '%s\t%s\t%s\n' "$shell -n" "$(shown "$path")" "$(shown "$message")" >>../findings
done
`;

/** $1 READ_JSON, $2 CHECK_SCRIPTS. Gives {passed, scripts, skipped, findings}; findings are no failure of the step. */
const CHECK = String.raw`set -eu
cd source
: >../findings
: >../scripts
echo "checking the objects of the repository"
if ! git fsck --no-dangling --no-progress >../fsck 2>&1; then
  cat ../fsck
  printf 'git fsck\t.git\t%s\n' "$(sed -n 1p ../fsck | LC_ALL=C tr -c '\040-\176' '?' | cut -c1-300)" >>../findings
fi
for manifest in package.json composer.json; do
  [ -f "$manifest" ] && [ ! -L "$manifest" ] || continue
  fault=$(awk "$1" "$manifest") || printf 'JSON\t%s\t%s\n' "$manifest" "$(printf '%s' "$fault" | sed -n '$p' | LC_ALL=C tr -c '\040-\176' '?')" >>../findings
done
echo "checking the syntax of its scripts"
find . -name .git -prune -o -type f \( -name '*.sh' -o -name '*.bash' -o -perm -100 \) -exec sh -c "$2" sh {} +
cat ../findings
count() { grep -c "$1" ../scripts || :; }
findings=$(sed 's/\\/\\\\/g; s/"/\\"/g' ../findings | awk -F '\t' 'NR <= 50 {
  printf "%s{\"check\":\"%s\",\"path\":\"%s\",\"message\":\"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3
}')
passed=true
[ ! -s ../findings ] || passed=false
printf '{"passed":%s,"scripts":%s,"skipped":%s,"findings":[%s]}\n' \
  "$passed" "$(count checked)" "$(count skipped)" "$findings" >"$LIGHTFLOW_OUTPUT"
`;

/** $1 name, $2 version, $3 commit. Leaves dist/<name>-<version>.tar.gz: the same bytes for the same commit. */
const PACKAGE = String.raw`set -eu
stem=$1-$2
rm -rf dist
mkdir dist
git -C source archive --format=tar --prefix="$stem/" --output="../dist/$stem.tar" "$3"
tar=$(sha256sum "dist/$stem.tar" | cut -d ' ' -f 1)
gzip -n -9 "dist/$stem.tar"
archive=$(sha256sum "dist/$stem.tar.gz" | cut -d ' ' -f 1)
echo "dist/$stem.tar.gz sha256:$archive"
printf '{"file":"%s","tar":"%s","archive":"%s"}\n' "$stem.tar.gz" "$tar" "$archive" >"$LIGHTFLOW_OUTPUT"
`;

export function define() {
  return workflow(META.id)
    .input("repository", { type: "path", description: "the git repository to release", required: true })
    .input("ref", {
      type: "string",
      description: "branch, tag or commit",
      default: "HEAD",
      pattern: "[^-].*",
    })
    .commandStep("clone", {
      title: "Clone the repository",
      command: "sh",
      arguments: ["-c", CLONE, "sh", "${ .inputs.repository }", "${ .inputs.ref }"],
      environment: GIT,
      mounts: [{ source: "${ .inputs.repository }", readOnly: true }],
      output: "json",
      repeatable: true,
      timeout: "PT10M",
    })
    .commandStep("inventory", {
      title: "Take stock of it",
      command: "sh",
      arguments: ["-c", INVENTORY, "sh", "${ .inputs.repository }", READ_JSON, READ_TOML, COUNT_LANGUAGES],
      environment: GIT,
      output: "json",
      repeatable: true,
      timeout: "PT5M",
    })
    .commandStep("check", {
      title: "Check objects and scripts",
      command: "sh",
      arguments: ["-c", CHECK, "sh", READ_JSON, CHECK_SCRIPTS],
      environment: GIT,
      output: "json",
      repeatable: true,
      timeout: "PT10M",
    })
    .assertStep(
      "stocked",
      {
        that: "${ .steps.inventory.output.files >= 1 and .steps.inventory.output.commits >= 1 }",
        message: "the repository holds no file at this commit, so there is nothing to release",
      },
      { title: "There is something to release" },
    )
    .switchStep(
      "releasable",
      [{ when: "${ .steps.check.output.passed }", then: "package" }, { then: "reject" }],
      { title: "Is it fit for release?" },
    )
    .commandStep("package", {
      title: "Pack it",
      command: "sh",
      arguments: [
        "-c",
        PACKAGE,
        "sh",
        "${ .steps.inventory.output.name }",
        "${ .steps.inventory.output.version }",
        "${ .steps.inventory.output.commit }",
      ],
      environment: GIT,
      artifacts: [{ path: "dist/*.tar.gz", mediaType: "application/gzip" }],
      output: "json",
      repeatable: true,
      timeout: "PT10M",
      then: "end",
    })
    .failStep(
      "reject",
      {
        title: "not releasable",
        detail:
          '${ "the check found \\(.steps.check.output.findings | length) fault(s): " + ([.steps.check.output.findings[:3][] | "\\(.check) \\(.path): \\(.message)"] | join("; ")) }',
        status: 422,
      },
      { title: "Refuse the release" },
    )
    .output({
      name: "${ .steps.inventory.output.name }",
      version: "${ .steps.inventory.output.version }",
      commit: "${ .steps.inventory.output.commit }",
      files: "${ .steps.inventory.output.files }",
      lines: "${ .steps.inventory.output.lines }",
      languages: "${ .steps.inventory.output.languages }",
      artifact: "${ .steps.package.artifacts[0] | {name, sha256, size} }",
      digests: {
        tree: "${ .steps.inventory.output.tree }",
        tar: '${ "sha256:" + .steps.package.output.tar }',
        archive: '${ "sha256:" + .steps.package.output.archive }',
      },
    });
}
