import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.release_typescript",
  title: "Release a TypeScript Package",
  kind: "workflow",
  description:
    "Checks out a commit afresh, installs, tests, builds and packs it, lists what it is made of, signs where it comes from, and publishes, signs and tags it once a person agrees.",
  stability: "experimental",
  version: "1.0.0",
} as const satisfies AssetMeta;

/** npm says nothing to the outside and asks nobody; the lock file decides what is installed. */
const NPM = {
  npm_config_offline: "true",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
  CI: "true",
};

const INSTALL = `set -eu
cd source
[ -f package-lock.json ] || { echo "release: commit a package-lock.json: a release has locked dependencies" >&2; exit 1; }
npm ci --ignore-scripts
node -e '
const { name, version } = JSON.parse(require("node:fs").readFileSync("package.json", "utf8"));
if (typeof name !== "string" || typeof version !== "string") throw new Error("package.json has no name and version");
require("node:fs").writeFileSync(process.env.LIGHTFLOW_OUTPUT, JSON.stringify({ name, version }));'
`;

const PACK = String.raw`set -eu
mkdir -p dist
cd source
file=$(npm pack --ignore-scripts --silent --pack-destination ../dist | tail -n 1)
[ -f "../dist/$file" ] || { echo "release: npm pack left no $file" >&2; exit 1; }
mv "../dist/$file" ../dist/package.tgz
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
      title: "Install the locked dependencies",
      command: "sh",
      arguments: ["-c", INSTALL],
      environment: NPM,
      sandbox: "workflow-session",
      output: "json",
      repeatable: true,
      timeout: "PT15M",
    })
    .commandStep("test", {
      title: "Test",
      command: "npm",
      arguments: ["--prefix", "source", "test"],
      environment: NPM,
      sandbox: "workflow-session",
      repeatable: true,
      timeout: "PT30M",
    })
    .commandStep("build", {
      title: "Build",
      command: "npm",
      arguments: ["--prefix", "source", "run", "build", "--if-present"],
      environment: NPM,
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
      arguments: ["-c", PACK],
      environment: NPM,
      sandbox: "workflow-session",
      output: "json",
      artifacts: [
        { path: "dist/package.tgz", name: "package.tgz", mediaType: "application/gzip" },
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
        package: "package.tgz",
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
