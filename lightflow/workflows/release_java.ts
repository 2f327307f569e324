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
file=$1-$2.jar
[ -f "target/$file" ] || { echo "release: the build left no target/$file: give the project its default final name and packaging jar" >&2; exit 1; }
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
    .step("checkout", "composition.release_checkout", {
      inputs: { repository: "${ .inputs.repository }", ref: "${ .inputs.ref }" },
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
    .step("release", "composition.release_publish", {
      inputs: {
        repository: "${ .inputs.repository }",
        registry: "${ .inputs.registry }",
        name: "${ .steps.install.output.name }",
        version: "${ .steps.install.output.version }",
        commit: "${ .steps.checkout.output.commit }",
        packed: "${ .steps.package.artifacts }",
        package: "package.jar",
        file: "${ .steps.package.output.file }",
      },
    })
    .output({
      name: "${ .steps.install.output.name }",
      version: "${ .steps.install.output.version }",
      commit: "${ .steps.checkout.output.commit }",
      published: "${ .steps.release.output.path }",
      artifacts: "${ .steps.release.output.artifacts }",
      provenance: "${ .steps.release.output.provenance }",
      tag: "${ .steps.release.output.tag }",
    });
}
