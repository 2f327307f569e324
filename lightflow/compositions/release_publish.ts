import { type AssetMeta, composition } from "../preload/lightflow.ts";

export const META = {
  id: "composition.release_publish",
  title: "Publish, Sign and Tag",
  kind: "composition",
  description:
    "Publishes what was packed with its provenance, signs it and tags its commit: each by a fixed action on artifacts by their digests, in a sandbox of its own, once a person agrees.",
  stability: "experimental",
} as const satisfies AssetMeta;

export function define() {
  return composition(META.id)
    .input("repository", { type: "string", description: "path of the git repository", required: true })
    .input("registry", { type: "string", description: "path of the directory to publish to", required: true })
    .input("name", { type: "string", required: true })
    .input("version", { type: "string", required: true })
    .input("commit", { type: "string", required: true })
    .input("packed", {
      type: "json",
      list: true,
      description: "the artifacts of the step that packed: package, bill of materials and provenance",
      required: true,
    })
    .input("package", { type: "string", description: "which of them is the package", required: true })
    .input("file", {
      type: "string",
      description: "what the package is called where it is published",
      required: true,
    })
    .output("artifacts", { type: "json", list: true, required: true })
    .output("provenance", { type: "string", required: true })
    .output("path", { type: "string", required: true })
    .output("tag", { type: "string", required: true })
    .set("what", {
      artifacts:
        '${ .inputs as $of | [$of.packed[] | select(.name != "provenance.intoto.json") | {name: (if .name == $of.package then $of.file else .name end), sha256}] }',
      provenance: '${ [.inputs.packed[] | select(.name == "provenance.intoto.json") | {name, sha256}] }',
      files: '${ [.inputs.packed[] | "sha256:" + .sha256] }',
    })
    .actionStep("publish", {
      title: "Publish it",
      action: "publish",
      with: {
        registry: "${ .inputs.registry }",
        name: "${ .inputs.name }",
        version: "${ .inputs.version }",
        artifacts: "${ .steps.what.output.artifacts }",
        provenance: "${ .steps.what.output.provenance }",
      },
      files: ["${ .steps.what.output.files }"],
      mounts: [{ source: "${ .inputs.registry }", readOnly: false }],
      workspace: "ephemeral",
    })
    .actionStep("sign", {
      title: "Sign the release",
      action: "sign",
      needs: ["publish"],
      with: {
        registry: "${ .inputs.registry }",
        name: "${ .inputs.name }",
        version: "${ .inputs.version }",
        artifacts: "${ .steps.what.output.artifacts }",
      },
      environment: { RELEASE_SIGNING_KEY: "runner-secret://release_signing_key" },
      files: ["${ .steps.what.output.files }"],
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
        tag: '${ "v" + .inputs.version }',
        commit: "${ .inputs.commit }",
        message: '${ .inputs.name + " " + .inputs.version }',
      },
      mounts: [{ source: "${ .inputs.repository }", readOnly: false }],
      workspace: "ephemeral",
    })
    .result({
      artifacts: "${ .steps.what.output.artifacts }",
      provenance: "${ .steps.what.output.provenance[0].sha256 }",
      path: "${ .steps.publish.output.path }",
      tag: "${ .steps.tag.output.tag }",
    });
}
