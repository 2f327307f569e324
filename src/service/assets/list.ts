import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, named, oneOf, Text } from "../shapes.ts";

const Asset = named(
  "AssetRecord",
  closed({
    meta: closed({
      id: Text,
      title: Text,
      kind: oneOf("model", "node", "composition", "workflow"),
      description: Text,
      stability: oneOf("draft", "experimental", "stable"),
    }),
    source_path: Text,
    builtin: Type.Boolean(),
    source_sha256: Text,
  }),
);
const Diagnostic = named(
  "AssetDiagnostic",
  closed({ code: Text, path: Text, line: Integer, column: Integer, message: Text, hint: Text }),
);

const KINDS = { workflows: "workflow", nodes: "node", compositions: "composition", models: "model" } as const;

export const listAssets = defineOperation({
  name: "assets.list",
  scope: "read",
  summary: "Assets of the project and of this build, found without running them",
  method: "GET",
  path: "/assets/:kind",
  input: closed({
    kind: Type.Union([
      Type.Literal("workflows"),
      Type.Literal("nodes"),
      Type.Literal("compositions"),
      Type.Literal("models"),
    ]),
    project_root: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  }),
  output: named("AssetList", closed({ assets: Type.Array(Asset), diagnostics: Type.Array(Diagnostic) })),
  async run(context, input) {
    if (input.project_root !== undefined && !context.trustsPaths) {
      throw fail("forbidden", "only a caller on the Unix socket may name a project directory");
    }
    const { discoverAssets } = await import("../../assets/index.ts");
    return discoverAssets(input.project_root ?? context.root, { kinds: [KINDS[input.kind]] });
  },
});
