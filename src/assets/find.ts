import { realpathSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { parseStrictJson } from "../base/strict-json.ts";
import { checkDocument, type Diagnostic, pointerTokens, type WorkflowDocument } from "../workflow/index.ts";
import type { Asset, FindPlace } from "./asset.ts";
import { findComponents } from "./components.ts";
import type { WorkflowDef } from "./definition/types.ts";
import type { AssetDiagnostic, DiagnosticCode } from "./diagnostics.ts";
import { readAssets } from "./discover.ts";
import type { AssetRecord } from "./kinds.ts";
import { lowerWorkflow } from "./lower/lower.ts";
import { nearestOf } from "./nearest.ts";
import { type Components, type Plan, planWorkflow } from "./plan/plan.ts";
import { readSource } from "./source.ts";

export interface FoundWorkflow {
  readonly record: AssetRecord;
  readonly definition: WorkflowDef;
  readonly document: WorkflowDocument;
  /** Its steps with every composition expanded: stable ids, needs, nodes, sources. */
  readonly plan: Plan;
  readonly components: Components;
  /** What keeps it from running though it can be read: missing nodes and models. Empty for one that can run. */
  readonly issues: readonly AssetDiagnostic[];
}

/**
 * A workflow of the project at `root` (or a built-in one) by its id, lowered to its document. Only files that hold
 * the id are parsed.
 * @throws Failure `asset_not_found`, with the nearest ids as hint and the files that could not be read as details;
 * `asset_invalid`, with every problem of the file as details, also when a second file claims the id
 */
export function findWorkflow(root: string, id: string): FoundWorkflow {
  const { assets, diagnostics, places } = readAssets(root, ["workflow"], [id]);
  const asset = assets.find(({ record }) => record.meta.id === id);
  if (asset === undefined) {
    if (diagnostics.length > 0) throw invalid(id, diagnostics);
    const all = readAssets(root, ["workflow"]);
    throw notFound(root, id, all.assets, all.diagnostics);
  }
  const { source_path: path } = asset.record;
  const twice = diagnostics.filter(
    (found) => found.code === "id_duplicate" && found.message.includes(` ${id} `),
  );
  const own = [...diagnostics.filter((found) => found.path === path && found.severity === "error"), ...twice];
  if (asset.workflow === undefined || own.length > 0) throw invalid(id, own);
  const { components, diagnostics: below } = findComponents(root, asset.workflow);
  const broken = below.filter(({ severity }) => severity === "error");
  if (broken.length > 0) throw invalid(id, broken);
  return workflowFrom(root, asset, places.get(id), components);
}

/**
 * A workflow that was read, planned and lowered.
 * @throws Failure `asset_invalid` with every problem as details
 */
export function workflowFrom(
  root: string,
  asset: Asset,
  place: FindPlace | undefined,
  components: Components,
): FoundWorkflow {
  const { source_path: path, meta } = asset.record;
  const { id } = meta;
  const definition = asset.workflow!;
  const schemas = {
    input: readSchema(root, asset, definition.input_schema, "inputSchema", place),
    output: readSchema(root, asset, definition.output_schema, "outputSchema", place),
  };
  const plan = planWorkflow(definition, asset.record, components);
  const issues = plan.issues.map((issue) => ({
    code: issue.code,
    severity: "error" as const,
    path,
    ...(place?.(issue.step === null ? { method: "requiredModel" } : { step: issue.step, path: [] }) ?? START),
    message: issue.message,
    hint: issue.hint,
  }));
  // Without its behaviour a step has no place in the document.
  const fatal = issues.filter((_, at) => plan.issues[at]!.fatal);
  if (fatal.length > 0) throw invalid(id, fatal);
  const document = lowerWorkflow(definition, asset.record, asset.version, schemas, plan, components);
  const faults = checkDocument(document, { mode: "light" }).filter(({ severity }) => severity === "error");
  if (faults.length > 0) {
    throw invalid(
      id,
      faults.map(({ code, pointer, message, hint }) => ({
        code: code === "cycle" ? "cycle" : "document_invalid",
        severity: "error",
        path,
        ...(place?.(sourceOfPointer(pointer, definition, plan)) ?? START),
        message: `${pointer}: ${message}`,
        hint: hint ?? HINTS[code] ?? "correct what the step says there",
      })),
    );
  }
  return { record: asset.record, definition, document, plan, components, issues };
}

const START = { line: 1, column: 1 };

/** What to do where the check of documents leaves it open. */
const HINTS: Readonly<Partial<Record<Diagnostic["code"], string>>> = {
  expression_invalid: "correct the program; try it by itself: lightflow expression eval PROGRAM --input JSON",
  cycle: "let one of them neither need nor read the others",
};

/** The part of `define()` that a place of the document was made from. */
function sourceOfPointer(pointer: string, definition: WorkflowDef, plan: Plan): Parameters<FindPlace>[0] {
  const [section, , name, ...rest] = pointerTokens(pointer);
  if (section !== "do") {
    if (section === "output") return { method: definition.output === undefined ? "outputSchema" : "output" };
    if (section === "schedule") return { method: "schedule" };
    return { method: definition.inputs === undefined ? "inputSchema" : "input" };
  }
  let id = name ?? "";
  if (rest[0] === "graph" && rest[1] === "steps") {
    id = rest[2] ?? "";
    rest.splice(0, 4);
  }
  // What repeats a step, or runs it many times, stands around it under the same name.
  while ((rest[0] === "try" || rest[0] === "do") && rest[2] === id) rest.splice(0, 3);
  const planned = plan.steps.find((step) => step.id === id);
  const step = planned?.parents[0] ?? id;
  if (planned === undefined || step !== id || planned.node !== undefined) return { step, path: [] };
  if (rest[0] === "switch") return { step, path: [rest[1] ?? "", ...rest.slice(3)] };
  // A task's own part stands in the step's options without the keys that the document puts around it.
  const own = rest.findIndex((key) => !WRAPPERS.has(key));
  return { step, path: own === -1 ? [] : rest.slice(own) };
}

const WRAPPERS = new Set("run shell set assert raise error with body metadata lightWorkflow".split(" "));

function notFound(
  root: string,
  id: string,
  assets: readonly Asset[],
  diagnostics: readonly AssetDiagnostic[],
) {
  const ids = assets.map(({ record }) => record.meta.id);
  const near = nearestOf(id, ids);
  const hint =
    near.length > 0
      ? `did you mean ${near.join(" or ")}?`
      : `workflows of ${resolve(root)}: ${ids.length === 0 ? "none" : ids.join(", ")}`;
  const bad =
    diagnostics.length === 0 ? "" : `; ${diagnostics[0]!.path} could not be read: ${diagnostics[0]!.message}`;
  return fail("asset_not_found", `workflow asset not found: ${id}${bad}`, {
    hint,
    details: { id, nearest: near, diagnostics },
  });
}

function invalid(id: string, diagnostics: readonly AssetDiagnostic[]) {
  const first = diagnostics[0];
  const where = first === undefined ? "" : `${first.path}:${first.line}:${first.column}: ${first.message}`;
  const more = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : "";
  return fail("asset_invalid", `${where}${more}`, {
    ...(first === undefined ? {} : { hint: first.hint }),
    details: { id, diagnostics },
  });
}

/** A schema given as a path below `lightflow/` is read into the document, which then stands by itself. */
function readSchema(
  root: string,
  asset: Asset,
  schema: string | JsonObject | null,
  method: string,
  place: FindPlace | undefined,
): JsonObject | undefined {
  if (schema === null) return undefined;
  if (typeof schema === "object") return schema;
  const project = join(resolve(root), "lightflow");
  const path = resolve(project, schema);
  const refuse = (message: string, hint: string, code: DiagnosticCode = "schema_unreadable") =>
    invalid(asset.record.meta.id, [
      {
        code,
        severity: "error",
        path: asset.record.source_path,
        ...(place?.({ method }) ?? START),
        message: `${method} ${schema}: ${message}`,
        hint,
      },
    ]);
  if (asset.record.builtin) throw refuse("a built-in asset has no files", "write the schema inline");
  const inside = relative(project, path);
  if (inside === "" || inside.startsWith("..")) {
    throw refuse(
      "the path leads out of lightflow/",
      "write a path below lightflow/: schemas/name.input.json",
    );
  }
  const result = readSource(path, realpathSync(resolve(root)));
  if ("diagnostic" in result) throw refuse(result.diagnostic.message, result.diagnostic.hint);
  try {
    const value = parseStrictJson(result.source.text);
    if (isObject(value)) return value as JsonObject;
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), `correct ${path}`);
  }
  throw refuse("this is not a JSON object", `write a JSON Schema into ${path}`);
}
