import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.repair_typescript",
  title: "Repair a TypeScript Package",
  kind: "workflow",
  description:
    "Checks out a commit and tests it. Where that fails, an agent says why and another one mends it in a copy; the patch is tried in a fresh checkout, and becomes a branch or a pull request once a person agrees.",
  stability: "experimental",
  version: "1.0.0",
} as const satisfies AssetMeta;

/** npm says nothing to the outside and asks nobody; git reads no configuration but what a script gives it. */
const QUIET = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  npm_config_offline: "true",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
  CI: "true",
};

/** $1 repository, $2 ref, $3 digest of a patch or nothing. Leaves the files here, their dependencies in place; gives {commit}. */
const CHECKOUT = String.raw`set -eu
die() { printf 'repair: %s\n' "$1" >&2; exit 1; }
[ -d "$1" ] || die "there is no directory $1"
printf '[safe]\n\tdirectory = *\n' >"$HOME/clone.gitconfig"
GIT_CONFIG_GLOBAL=$HOME/clone.gitconfig
export GIT_CONFIG_GLOBAL
find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
git clone --quiet --no-hardlinks --no-checkout --template= -- "$1" .
commit=
for name in "$2" "refs/remotes/origin/$2"; do
  commit=$(git rev-parse --quiet --verify --end-of-options "$name^{commit}") && break
done
[ -n "$commit" ] || die "the repository has no commit named $2"
git -c advice.detachedHead=false checkout --quiet --detach "$commit"
[ -z "$3" ] || git apply --whitespace=nowarn "$LIGHTFLOW_INPUTS/$3"
[ ! -f package-lock.json ] || npm ci --ignore-scripts --silent
printf '{"commit":"%s"}\n' "$commit" >"$LIGHTFLOW_OUTPUT"
`;

/** The checkout again, in a workspace of its own, and the test; $4 is the checkout's script. */
const VERIFY = `set -eu
script=$4
sh -c "$script" sh "$1" "$2" "$3"
npm test
`;

const FAILED = "${ .steps.test.error != null }";
const LOCAL = "${ .steps.test.error != null and .inputs.project == null }";
const FORGE = "${ .steps.test.error != null and .inputs.project != null }";

export function define() {
  return (
    workflow(META.id)
      .profile("repair")
      .input("repository", { type: "path", description: "the git repository to repair", required: true })
      .input("ref", {
        type: "string",
        description: "branch, tag or commit",
        default: "HEAD",
        pattern: "[^-].*",
      })
      .input("project", {
        type: "string",
        description: "owner/name at a forge, for a pull request; without it a branch of the repository",
      })
      .input("api", {
        type: "string",
        description: "the forge's API: https://git.example.org/api/v1 for Gitea",
        default: "https://api.github.com",
      })
      .input("remote", {
        type: "string",
        description: "the https address to push to; without it the project at github.com",
      })
      .input("into", { type: "string", description: "the branch that it is for", default: "main" })
      .commandStep("checkout", {
        title: "Check out a clean copy",
        command: "sh",
        arguments: ["-c", CHECKOUT, "sh", "${ .inputs.repository }", "${ .inputs.ref }", ""],
        environment: QUIET,
        mounts: [{ source: "${ .inputs.repository }", readOnly: true }],
        sandbox: "workflow-session",
        output: "json",
        repeatable: true,
        timeout: "PT15M",
      })
      .commandStep("test", {
        title: "Test",
        command: "npm",
        arguments: ["test"],
        environment: QUIET,
        sandbox: "workflow-session",
        needs: ["checkout"],
        tolerate: true,
        timeout: "PT30M",
      })
      // Help that one can do without: policy may skip it, and a model may fail.
      .agentStep("diagnose", {
        title: "Say why it fails",
        if: FAILED,
        agent: "diagnostician",
        diagnose: "${ .steps.test.error }",
        tolerate: true,
        timeout: "PT10M",
      })
      .agentStep("mend", {
        title: "Mend it in a copy",
        if: FAILED,
        agent: "mender",
        prompt: "A test of this package fails. Find out why, and mend the package; do not weaken its tests.",
        input: { failure: "${ .steps.test.error.detail }", diagnosis: "${ .steps.diagnose.output }" },
        commands: [{ name: "test", command: "npm", arguments: ["test"] }],
        repair: { command: "test" },
        workspace: "session",
        tolerate: true,
        timeout: "PT1H",
      })
      // Its attempts are used up: a person has to look, and says what is to be done.
      .askStep("escalate", {
        title: "Ask a person",
        if: '${ .steps.mend.error.data.code == "agent_repair_failed" }',
        prompt: "The agent could not mend the failing test (see its transcript). What was decided?",
        timeout: "P7D",
        default: "nobody looked within a week",
      })
      .failStep(
        "unmended",
        {
          title: "not mended",
          detail:
            '${ .steps.mend.error.detail + (if .steps.escalate.output == null then "" else ": " + (.steps.escalate.output | tostring) end) }',
          status: 422,
        },
        { title: "Nothing was mended", if: "${ .steps.mend.error != null }" },
      )
      .set(
        "patch",
        {
          sha256: '${ first(.steps.mend.artifacts[] | select(.name == "changes.patch") | .sha256) // null }',
        },
        { if: FAILED },
      )
      .assertStep(
        "changed",
        { that: "${ .steps.patch.output.sha256 != null }", message: "the agent changed nothing" },
        { title: "Something was mended", if: FAILED },
      )
      // What the agent says counts for nothing here; what it wrote runs where a model's text may run.
      .commandStep("verify", {
        title: "Try the patch in a fresh checkout",
        if: FAILED,
        command: "sh",
        arguments: [
          "-c",
          VERIFY,
          "sh",
          "${ .inputs.repository }",
          "${ .steps.checkout.output.commit }",
          "${ .steps.patch.output.sha256 }",
          CHECKOUT,
        ],
        environment: QUIET,
        files: ['${ "sha256:" + .steps.patch.output.sha256 }'],
        mounts: [{ source: "${ .inputs.repository }", readOnly: true }],
        workspace: "ephemeral",
        modelGenerated: true,
        output: "json",
        repeatable: true,
        timeout: "PT30M",
      })
      .actionStep("branch", {
        title: "Put it on a branch",
        if: LOCAL,
        needs: ["verify"],
        action: "branch",
        with: {
          repository: "${ .inputs.repository }",
          base: "${ .steps.checkout.output.commit }",
          branch: '${ "repair/" + .steps.patch.output.sha256[:12] }',
          patch: '${ "sha256:" + .steps.patch.output.sha256 }',
          message: "Mend a failing test",
        },
        files: ['${ "sha256:" + .steps.patch.output.sha256 }'],
        mounts: [{ source: "${ .inputs.repository }", readOnly: false }],
        workspace: "ephemeral",
      })
      .actionStep("pull_request", {
        title: "Open a pull request",
        if: FORGE,
        needs: ["verify"],
        action: "pull-request",
        with: {
          api: "${ .inputs.api }",
          project: "${ .inputs.project }",
          remote: '${ .inputs.remote // "https://github.com/\\(.inputs.project).git" }',
          repository: "${ .inputs.repository }",
          base: "${ .steps.checkout.output.commit }",
          into: "${ .inputs.into }",
          branch: '${ "repair/" + .steps.patch.output.sha256[:12] }',
          patch: '${ "sha256:" + .steps.patch.output.sha256 }',
          message: "Mend a failing test",
          title: "Mend a failing test",
          body: '${ "A test failed: " + (.steps.test.error.detail // "") + "\n\n" + (.steps.diagnose.output.cause // "") }',
        },
        environment: { FORGE_TOKEN: "runner-secret://forge_token" },
        files: ['${ "sha256:" + .steps.patch.output.sha256 }'],
        mounts: [{ source: "${ .inputs.repository }", readOnly: true }],
        workspace: "ephemeral",
      })
      .output({
        failed: FAILED,
        diagnosis: "${ .steps.diagnose.output }",
        patch: "${ .steps.patch.output.sha256 }",
        branch: "${ .steps.branch.output.branch // .steps.pull_request.output.branch }",
        pull_request: "${ .steps.pull_request.output.url }",
      })
  );
}
