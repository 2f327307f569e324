import { type AssetMeta, composition } from "../preload/lightflow.ts";

export const META = {
  id: "composition.release_checkout",
  title: "Check Out for a Release",
  kind: "composition",
  description:
    "A clean checkout of one commit in source/ of the session: what lies beside the repository's commits is not there.",
  stability: "experimental",
} as const satisfies AssetMeta;

const GIT = { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };

/** $1 repository, $2 ref. Leaves the checkout in source/ and gives {commit}. */
const CHECKOUT = String.raw`set -eu
die() { printf 'release: %s\n' "$1" >&2; exit 1; }
repository=$1 ref=$2
[ -d "$repository" ] || die "there is no directory $repository"
printf '[safe]\n\tdirectory = *\n' >clone.gitconfig
GIT_CONFIG_GLOBAL=$PWD/clone.gitconfig
export GIT_CONFIG_GLOBAL
rm -rf source dist
git clone --quiet --no-hardlinks --no-checkout --template= -- "$repository" source
cd source
commit=
for name in "$ref" "refs/remotes/origin/$ref"; do
  commit=$(git rev-parse --quiet --verify --end-of-options "$name^{commit}") && break
done
[ -n "$commit" ] || die "the repository has no commit named $ref"
git -c advice.detachedHead=false checkout --quiet --detach "$commit"
printf '{"commit":"%s"}\n' "$commit" >"$LIGHTFLOW_OUTPUT"
`;

export function define() {
  return composition(META.id)
    .input("repository", { type: "string", description: "path of the git repository", required: true })
    .input("ref", { type: "string", description: "branch, tag or commit", required: true })
    .output("commit", { type: "string", required: true })
    .commandStep("clone", {
      title: "Check out a clean copy",
      command: "sh",
      arguments: ["-c", CHECKOUT, "sh", "${ .inputs.repository }", "${ .inputs.ref }"],
      environment: GIT,
      mounts: [{ source: "${ .inputs.repository }", readOnly: true }],
      sandbox: "workflow-session",
      output: "json",
      repeatable: true,
      timeout: "PT10M",
    })
    .result({ commit: "${ .steps.clone.output.commit }" });
}
