import type { WorkflowStepDef } from "./definition/types.ts";
import type { AssetDiagnostic } from "./diagnostics.ts";
import { readAssets } from "./discover.ts";
import type { Component, Components } from "./plan/plan.ts";

/** What a definition names: its nodes, compositions and models. */
export interface Naming {
  readonly steps?: readonly WorkflowStepDef[];
  readonly required_models?: readonly string[];
}

export interface FoundComponents {
  readonly components: Components;
  /** Problems of the files that hold them. */
  readonly diagnostics: readonly AssetDiagnostic[];
}

/** The nodes, compositions and models that a workflow names, and those that its compositions name in turn. */
export function findComponents(root: string, naming: Naming): FoundComponents {
  const components = new Map<string, Component>();
  const diagnostics: AssetDiagnostic[] = [];
  const asked = new Set<string>();
  for (let wanted = namesOf(naming); wanted.length > 0; ) {
    for (const id of wanted) asked.add(id);
    const next: string[] = [];
    const read = readAssets(root, ["node", "composition", "model"], wanted);
    for (const asset of read.assets) {
      const { id } = asset.record.meta;
      if (!wanted.includes(id)) continue;
      components.set(id, { record: asset.record, definition: asset.component });
      diagnostics.push(...read.diagnostics.filter(({ path }) => path === asset.record.source_path));
      next.push(...namesOf(asset.component ?? {}));
    }
    wanted = next.filter((id) => !asked.has(id));
  }
  return { components, diagnostics };
}

function namesOf({ steps, required_models }: Naming): string[] {
  const assets = (steps ?? []).flatMap(({ node_or_composition_id }) => node_or_composition_id ?? []);
  return [...new Set([...assets, ...(required_models ?? [])])];
}
