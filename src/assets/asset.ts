import { type DefinitionMap, readComponent, readWorkflow } from "./definition/read.ts";
import type { ComponentDef, WorkflowDef } from "./definition/types.ts";
import { type AssetDiagnostic, locate, Problems, positionsOf } from "./diagnostics.ts";
import { readHead } from "./head.ts";
import type { AssetKind, AssetRecord } from "./kinds.ts";
import { returnedBy } from "./module.ts";
import type { Source } from "./source.ts";
import { checkComponent, checkWiring } from "./wiring.ts";

/** All that one asset file says. */
export interface Asset {
  readonly record: AssetRecord;
  /** `META.version`. */
  readonly version: string | undefined;
  readonly workflow: WorkflowDef | undefined;
  readonly component: ComponentDef | undefined;
  /** Where `META.id` stands. */
  readonly idOffset: number;
}

/** Finds the place of a part of `define()`: of a step by its id, else of the last call of a method. */
export type FindPlace = (
  part: { readonly step: string; readonly path: readonly string[] } | { readonly method: string },
) => { readonly line: number; readonly column: number };

export interface ReadAsset {
  /** Keeps the syntax tree: not for long lists. Absent when there is no definition. */
  readonly place: FindPlace | undefined;
  /** Absent when not even `META` could be read. */
  readonly asset: Asset | undefined;
  /** Every problem of the file, in the order of the text. */
  readonly diagnostics: readonly AssetDiagnostic[];
}

/**
 * Read an asset from its text. Nothing of it is run, imported or resolved.
 * @param kind what the folder holds; an asset of another kind is a problem
 */
export function readAsset(source: Source, kind: AssetKind, builtin: boolean): ReadAsset {
  const problems = new Problems();
  const read = problems.attempt(() => readText(source, kind, builtin, problems));
  const map = read?.map;
  return {
    asset: read?.asset,
    diagnostics: locate(source.path, source.text, problems.list),
    place:
      map === undefined
        ? undefined
        : (part) =>
            positionsOf(source.text)(
              "step" in part ? map.stepOffset(part.step, part.path) : map.methodOffset(part.method),
            ),
  };
}

interface Read {
  readonly asset: Asset;
  readonly map: DefinitionMap | undefined;
}

function readText(source: Source, kind: AssetKind, builtin: boolean, problems: Problems): Read | undefined {
  const { path } = source;
  const head = readHead(source, kind, builtin, problems);
  if (head === undefined) return undefined;
  const { record, version, idOffset, module } = head;
  const { meta } = record;
  const asset: Asset = {
    record,
    version,
    workflow: undefined,
    component: undefined,
    idOffset,
  };
  const returned = problems.attempt(() => returnedBy(module, "define"));
  if (returned === undefined) {
    // Only a workflow must define something; an unreadable define() has been reported by now.
    if (kind === "workflow" && !problems.failed) {
      problems.add(
        "define_missing",
        0,
        `workflow asset ${path} does not define define()`,
        "add: export function define() { return workflow(META.id).… }",
      );
    }
    return { asset, map: undefined };
  }
  if (kind !== "workflow") {
    const read = readComponent(returned, meta, path, problems);
    if (read !== undefined && !problems.failed)
      checkComponent(read.definition, kind, read.map, module, problems);
    return { asset: { ...asset, component: read?.definition }, map: read?.map };
  }
  const read = readWorkflow(returned, meta, path, problems);
  if (read === undefined) return { asset, map: undefined };
  if (!problems.failed) checkWiring(read.definition, read.map, problems);
  return { asset: { ...asset, workflow: read.definition }, map: read.map };
}
