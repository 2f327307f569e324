import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.release_java",
  title: "Release a Java Library",
  kind: "workflow",
  description:
    "Checks out a commit afresh, installs, tests, builds and packs it, lists what it is made of, signs where it comes from, and publishes, signs and tags it once a person agrees.",
  stability: "experimental",
  version: "1.0.0",
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

/** Its sandbox has no network: what Maven needs is in the local repository, or the mirror on disk, that `.mvn/` names. */
const MAVEN = { CI: "true" };

/** Name and version are the first of the project itself. */
const INSTALL = String.raw`set -eu
cd source
[ -f pom.xml ] || { echo "release: there is no pom.xml" >&2; exit 1; }
member() { awk -v tag="$1" '
  /<(parent|dependencies|build|profiles|dependencyManagement)[ >]/ { depth++ }
  depth == 0 && match($0, "<" tag ">[^<]*</" tag ">") {
    text = substr($0, RSTART, RLENGTH); gsub(/<[^>]*>/, "", text); print text; exit
  }
  /<\/(parent|dependencies|build|profiles|dependencyManagement)>/ { depth-- }' pom.xml; }
name=$(member artifactId) version=$(member version)
[ -n "$name" ] && [ -n "$version" ] || { echo "release: pom.xml states no artifactId and version of its own" >&2; exit 1; }
case "$name$version" in *[!A-Za-z0-9._+-]*) echo "release: pom.xml has no plain artifactId and version" >&2; exit 1 ;; esac
case $version in *SNAPSHOT*) echo "release: $version is a snapshot" >&2; exit 1 ;; esac
printf '{"name":"%s","version":"%s"}\n' "$name" "$version" >"$LIGHTFLOW_OUTPUT"
`;

/** $1 name, $2 version. */
const PACK = String.raw`set -eu
mkdir -p dist
cd source
mvn --batch-mode --no-transfer-progress --quiet -DskipTests package
file=$1-$2.jar
cp "target/$file" ../dist/package.jar
printf '{"file":"%s"}\n' "$file" >"$LIGHTFLOW_OUTPUT"
`;

export function define() {
  return workflow(META.id)
    .profile("release")
    .input("repository", { type: "path", description: "the git repository to release", required: true })
    .input("ref", {
      type: "string",
      description: "branch, tag or commit",
      default: "HEAD",
      pattern: "[^-].*",
    })
    .input("registry", { type: "path", description: "the directory to publish to", required: true })
    .commandStep("checkout", {
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
    .commandStep("install", {
      title: "Read what it is",
      command: "sh",
      arguments: ["-c", INSTALL],
      environment: MAVEN,
      sandbox: "workflow-session",
      output: "json",
      repeatable: true,
      timeout: "PT15M",
    })
    .commandStep("test", {
      title: "Test",
      command: "mvn",
      arguments: ["--batch-mode", "--no-transfer-progress", "-f", "source/pom.xml", "test"],
      environment: MAVEN,
      sandbox: "workflow-session",
      repeatable: true,
      timeout: "PT30M",
    })
    .commandStep("build", {
      title: "Build",
      command: "mvn",
      arguments: ["--batch-mode", "--no-transfer-progress", "-f", "source/pom.xml", "-DskipTests", "verify"],
      environment: MAVEN,
      sandbox: "workflow-session",
      repeatable: true,
      timeout: "PT30M",
    })
    .actionStep("sbom", {
      title: "List what it is made of",
      action: "sbom",
      with: {
        directory: "source",
        name: "${ .steps.install.output.name }",
        version: "${ .steps.install.output.version }",
        output: "dist/sbom.cdx.json",
      },
    })
    .commandStep("package", {
      title: "Pack it, with its provenance",
      command: "sh",
      arguments: ["-c", PACK, "sh", "${ .steps.install.output.name }", "${ .steps.install.output.version }"],
      environment: MAVEN,
      sandbox: "workflow-session",
      output: "json",
      artifacts: [
        { path: "dist/package.jar", name: "package.jar", mediaType: "application/java-archive" },
        { path: "dist/sbom.cdx.json", name: "sbom.cdx.json", mediaType: "application/vnd.cyclonedx+json" },
      ],
      provenance: {
        materials: [
          {
            uri: '${ "git+file://" + .inputs.repository }',
            digest: { gitCommit: "${ .steps.checkout.output.commit }" },
          },
        ],
      },
      timeout: "PT10M",
    })
    .set("release", {
      name: "${ .steps.install.output.name }",
      version: "${ .steps.install.output.version }",
      commit: "${ .steps.checkout.output.commit }",
      artifacts:
        '${ [.steps.package.output.file as $file | .steps.package.artifacts[] | select(.name != "provenance.intoto.json") | {name: (if .name == "package.jar" then $file else .name end), sha256}] }',
      provenance:
        '${ [.steps.package.artifacts[] | select(.name == "provenance.intoto.json") | {name, sha256}] }',
      files: '${ [.steps.package.artifacts[] | "sha256:" + .sha256] }',
    })
    .actionStep("publish", {
      title: "Publish it",
      action: "publish",
      with: {
        registry: "${ .inputs.registry }",
        name: "${ .steps.release.output.name }",
        version: "${ .steps.release.output.version }",
        artifacts: "${ .steps.release.output.artifacts }",
        provenance: "${ .steps.release.output.provenance }",
      },
      files: ["${ .steps.release.output.files }"],
      mounts: [{ source: "${ .inputs.registry }", readOnly: false }],
      workspace: "ephemeral",
    })
    .actionStep("sign", {
      title: "Sign the release",
      action: "sign",
      needs: ["publish"],
      with: {
        registry: "${ .inputs.registry }",
        name: "${ .steps.release.output.name }",
        version: "${ .steps.release.output.version }",
        artifacts: "${ .steps.release.output.artifacts }",
      },
      environment: { RELEASE_SIGNING_KEY: "runner-secret://release_signing_key" },
      files: ["${ .steps.release.output.files }"],
      mounts: [{ source: "${ .inputs.registry }", readOnly: false }],
      workspace: "ephemeral",
      artifacts: [{ path: "outputs/*.json" }],
    })
    .actionStep("tag", {
      title: "Tag the commit",
      action: "tag",
      needs: ["sign"],
      with: {
        repository: "${ .inputs.repository }",
        tag: '${ "v" + .steps.release.output.version }',
        commit: "${ .steps.release.output.commit }",
        message: '${ .steps.release.output.name + " " + .steps.release.output.version }',
      },
      mounts: [{ source: "${ .inputs.repository }", readOnly: false }],
      workspace: "ephemeral",
    })
    .output({
      name: "${ .steps.release.output.name }",
      version: "${ .steps.release.output.version }",
      commit: "${ .steps.release.output.commit }",
      published: "${ .steps.publish.output.path }",
      artifacts: "${ .steps.release.output.artifacts }",
      provenance: "${ .steps.release.output.provenance[0].sha256 }",
      tag: "${ .steps.tag.output.tag }",
    });
}
