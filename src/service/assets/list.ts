import { Type } from "@sinclair/typebox";
import { defineOperation } from "../operation.ts";
import { closed, named } from "../shapes.ts";
import { AssetRecord, Diagnostic, KINDS, Kind, ProjectRoot, projectOf } from "./shapes.ts";

const AssetList = named(
  "AssetList",
  closed({ assets: Type.Array(AssetRecord), diagnostics: Type.Array(Diagnostic) }),
);

export const listAssets = defineOperation({
  name: "assets.list",
  scope: "read",
  summary: "Assets of the project and of this build, found without running them",
  method: "GET",
  path: "/assets/:kind",
  input: closed({ kind: Kind, project_root: ProjectRoot }),
  output: AssetList,
  async run(context, input) {
    const root = projectOf(context, input.project_root);
    const { discoverAssets } = await import("../../assets/index.ts");
    return discoverAssets(root, { kinds: [KINDS[input.kind]] });
  },
});
