import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.release_rust",
  title: "Release a Rust Crate",
  kind: "workflow",
  description:
    "Checks out a commit afresh, installs, tests, builds and packs it, lists what it is made of, signs where it comes from, and publishes, signs and tags it once a person agrees.",
  stability: "experimental",
  version: "1.0.0",
} as const satisfies AssetMeta;

/** cargo asks nobody; the lock file and what is vendored or cached decide what is built. */
const CARGO = { CARGO_NET_OFFLINE: "true", CARGO_TERM_COLOR: "never", CI: "true" };

// cargo reads `.cargo/config.toml`, which says where vendored crates are, from where it starts.
const TEST = "cd source && exec cargo test --locked --offline";
const BUILD = "cd source && exec cargo build --release --locked --offline";

const INSTALL = String.raw`set -eu
cd source
[ -f Cargo.lock ] || { echo "release: commit a Cargo.lock: a release has locked dependencies" >&2; exit 1; }
cargo fetch --locked --offline
member() { awk -v key="$1" '
  /^[ \t]*\[/ { table = $0; gsub(/[ \t\r]/, "", table) }
  table == "[package]" && match($0, "^[ \t]*" key "[ \t]*=[ \t]*\"") { split($0, parts, "\""); print parts[2]; exit }' Cargo.toml; }
name=$(member name) version=$(member version)
[ -n "$name" ] && [ -n "$version" ] || { echo "release: Cargo.toml states no name and version of its own" >&2; exit 1; }
case "$name$version" in *[!A-Za-z0-9._+-]*) echo "release: Cargo.toml has no plain name and version" >&2; exit 1 ;; esac
printf '{"name":"%s","version":"%s"}\n' "$name" "$version" >"$LIGHTFLOW_OUTPUT"
`;

/** $1 name, $2 version. */
const PACK = String.raw`set -eu
mkdir -p dist
cd source
cargo package --locked --offline --no-verify --allow-dirty --quiet
file=$1-$2.crate
mv "target/package/$file" ../dist/package.crate
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
      title: "Look that every locked dependency is there",
      command: "sh",
      arguments: ["-c", INSTALL],
      environment: CARGO,
      sandbox: "workflow-session",
      output: "json",
      repeatable: true,
      timeout: "PT15M",
    })
    .commandStep("test", {
      title: "Test",
      command: "sh",
      arguments: ["-c", TEST],
      environment: CARGO,
      sandbox: "workflow-session",
      repeatable: true,
      timeout: "PT30M",
    })
    .commandStep("build", {
      title: "Build",
      command: "sh",
      arguments: ["-c", BUILD],
      environment: CARGO,
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
      environment: CARGO,
      sandbox: "workflow-session",
      output: "json",
      artifacts: [
        { path: "dist/package.crate", name: "package.crate", mediaType: "application/gzip" },
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
        package: "package.crate",
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
