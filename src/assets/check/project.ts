import { realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import { Failure } from "../../base/errors.ts";
import type { Asset } from "../asset.ts";
import { checkCommittedRuns } from "../data/committed-runs.ts";
import { readPolicyFiles } from "../data/policies.ts";
import { readPresets } from "../data/presets.ts";
import { type AssetDiagnostic, located, positionsOf } from "../diagnostics.ts";
import { readAssets } from "../discover.ts";
import { workflowFrom } from "../find.ts";
import { checkInputs } from "../inputs.ts";
import { ASSET_KINDS } from "../kinds.ts";
import { orNearest } from "../nearest.ts";
import { type Component, type Components, planWorkflow } from "../plan/plan.ts";
import { checkPorts } from "./ports.ts";

export interface ProjectCheck {
  /** Files that were looked at. */
  readonly files: number;
  /** Every problem of every file, by path and place. */
  readonly diagnostics: AssetDiagnostic[];
}

/**
 * Everything that is wrong with a project: every problem of every file at once, none hidden by another. Nothing of it is
 * run.
 * @param only a file or directory: problems elsewhere are left out
 */
export function checkProject(root: string, only?: string): ProjectCheck {
  const { assets, diagnostics, places } = readAssets(root, ASSET_KINDS, "all");
  const found: AssetDiagnostic[] = [...diagnostics];
  const broken = new Set(diagnostics.flatMap(({ path, severity }) => (severity === "error" ? [path] : [])));
  const components: Components = new Map(
    assets
      .filter(({ record }) => record.meta.kind !== "workflow")
      .map((asset): [string, Component] => [
        asset.record.meta.id,
        { record: asset.record, definition: asset.component },
      ]),
  );
  for (const asset of assets) {
    const { record } = asset;
    const place = places.get(record.meta.id);
    const path = record.source_path;
    // What its own text already says wrong would only be said again.
    if (broken.has(path)) continue;
    const definition = asset.workflow ?? asset.component;
    if (definition === undefined) continue;
    const ports = checkPorts(definition, components);
    for (const { code, step, path: into, message, hint } of ports) {
      const at = place?.({ step, path: into }) ?? START;
      found.push({ code, severity: "error", path, ...at, message, hint });
    }
    if (asset.workflow !== undefined)
      found.push(...checkWorkflow(root, asset, place, components, ports.length));
    else if (record.meta.kind === "composition" && asset.component !== undefined) {
      const { issues } = planWorkflow(
        {
          id: record.meta.id,
          input_schema: null,
          output_schema: null,
          required_models: asset.component.required_models ?? [],
          steps: asset.component.steps ?? [],
        },
        record,
        components,
      );
      for (const issue of issues) {
        const at = issue.step === null ? { method: "requiredModel" } : { step: issue.step, path: [] };
        found.push({
          code: issue.code,
          severity: "error",
          path,
          ...(place?.(at) ?? START),
          message: issue.message.replace(/^workflow /, "composition "),
          hint: issue.hint,
        });
      }
    }
  }
  const data = checkData(root, assets);
  found.push(...data.diagnostics);
  const inside = within(only);
  const seen = new Set<string>();
  const kept = found
    .filter(({ path }) => inside(path))
    .filter(({ path, line, column, message }) => {
      const key = `${path}\0${line}\0${column}\0${message}`;
      return !seen.has(key) && seen.add(key);
    })
    .sort(
      (a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0) || a.line - b.line || a.column - b.column,
    );
  const files = new Set([
    ...assets.flatMap(({ record }) => (record.builtin ? [] : [record.source_path])),
    ...diagnostics.map(({ path }) => path),
    ...data.files,
  ]);
  return { files: [...files].filter(inside).length, diagnostics: kept };
}

const START = { line: 1, column: 1 };

function within(only: string | undefined): (path: string) => boolean {
  if (only === undefined) return () => true;
  let real = resolve(only);
  try {
    real = realpathSync(real);
  } catch {
    // The caller says that it is missing.
  }
  const below = (path: string, base: string) => path === base || path.startsWith(base + sep);
  return (path) => below(path, real) || below(path, resolve(only));
}

function checkWorkflow(
  root: string,
  asset: Asset,
  place: Parameters<typeof workflowFrom>[2],
  components: Components,
  portProblems: number,
): readonly AssetDiagnostic[] {
  try {
    return workflowFrom(root, asset, place, components).issues;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "asset_invalid") throw error;
    const all = (error.details?.["diagnostics"] ?? []) as AssetDiagnostic[];
    // A port that is not there shows in the document too.
    return portProblems > 0 ? all.filter(({ code }) => code !== "document_invalid") : all;
  }
}

/** Presets, policies, and what is committed of runs. */
function checkData(
  root: string,
  assets: readonly Asset[],
): { files: string[]; diagnostics: AssetDiagnostic[] } {
  const presets = readPresets(root);
  const policies = readPolicyFiles(root);
  const diagnostics = [...presets, ...policies].flatMap((file) => file.diagnostics);
  for (const { value, source } of presets) {
    if (value === undefined || source === undefined) continue;
    const workflows = assets.filter((asset) => asset.workflow !== undefined);
    const workflow = workflows.find(({ record }) => record.meta.id === value.workflow);
    const at = (needle: string) => positionsOf(source.text)(Math.max(0, source.text.indexOf(needle)));
    if (workflow === undefined) {
      const ids = workflows.map(({ record }) => record.meta.id);
      diagnostics.push({
        ...located(
          "data_invalid",
          source.path,
          `there is no workflow ${value.workflow}`,
          `name a workflow of the project${orNearest(value.workflow, ids)}`,
        ),
        ...at(value.workflow),
      });
      continue;
    }
    for (const issue of checkInputs(workflow.workflow!, value.inputs)) {
      // A preset need not give everything.
      if (issue.code === "input_missing") continue;
      const name = issue.path.slice(1);
      diagnostics.push({
        ...located("data_invalid", source.path, issue.message, `see lightflow assets show ${value.workflow}`),
        ...at(name),
      });
    }
  }
  diagnostics.push(...checkCommittedRuns(root));
  const files = [...presets, ...policies].flatMap(({ source }) => source?.path ?? []);
  return { files, diagnostics };
}
