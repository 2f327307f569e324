import type { ComponentDef } from "./definition/types.ts";
import type { AssetDiagnostic } from "./diagnostics.ts";
import { readAssets } from "./discover.ts";
import type { AssetRecord } from "./kinds.ts";

/** The model assets of a project and of this build, in full. */
export function readModels(root: string): {
  models: { readonly record: AssetRecord; readonly definition: ComponentDef | undefined }[];
  diagnostics: readonly AssetDiagnostic[];
} {
  const { assets, diagnostics } = readAssets(root, ["model"]);
  const models = assets.map(({ record, component }) => ({ record, definition: component }));
  return { models, diagnostics: diagnostics.filter(({ severity }) => severity === "error") };
}
