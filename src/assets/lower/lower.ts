import type { Json, JsonObject } from "../../base/json.ts";
import type { WorkflowDocument } from "../../workflow/index.ts";
import type { WorkflowDef } from "../definition/types.ts";
import type { AssetRecord } from "../kinds.ts";
import { defaultsOf, schemaOfPorts } from "./schemas.ts";
import { inScope, valueInScope } from "./scope.ts";
import { taskOf } from "./steps.ts";

const DEFAULT_VERSION = "0.1.0";

/** The JSON schemas of a definition, read: an author may give a path in their place. */
export interface ReadSchemas {
  readonly input: JsonObject | undefined;
  readonly output: JsonObject | undefined;
}

/**
 * A workflow's definition as the one workflow document (DSL 1.0.3 with the dialect's tasks). The result says where
 * it comes from in `document.metadata.lightFlow`.
 */
export function lowerWorkflow(
  definition: WorkflowDef,
  record: AssetRecord,
  version: string | undefined,
  schemas: ReadSchemas,
): WorkflowDocument {
  const { meta } = record;
  const input = inputOf(definition, schemas.input);
  const output = outputOf(definition, schemas.output);
  const document: JsonObject = {
    document: {
      dsl: "1.0.3",
      namespace: "lightflow",
      name: documentName(meta.id),
      version: version ?? DEFAULT_VERSION,
      title: meta.title,
      summary: meta.description,
      metadata: { lightFlow: { assetId: meta.id, sourceSha256: record.source_sha256 } },
    },
    ...(input === undefined ? {} : { input }),
    do: definition.steps.map((step) => ({ [step.step_id]: taskOf(step) })),
    ...(output === undefined ? {} : { output }),
  };
  return document as unknown as WorkflowDocument;
}

/**
 * The document's name for an asset id: a DNS label of at most 63 characters. The kind's prefix goes, since every
 * document is a workflow: `workflow.release_check` is `release-check`.
 */
export function documentName(assetId: string): string {
  return assetId
    .replace(/^workflow\./, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}

function inputOf(definition: WorkflowDef, schema: JsonObject | undefined): JsonObject | undefined {
  const document = definition.inputs === undefined ? schema : schemaOfPorts(definition.inputs);
  const from = definition.inputs === undefined ? undefined : defaultsOf(definition.inputs);
  if (document === undefined) return undefined;
  return { schema: { document }, ...(from === undefined ? {} : { from }) };
}

function outputOf(definition: WorkflowDef, schema: JsonObject | undefined): JsonObject | undefined {
  const { output } = definition;
  const as: Json | undefined =
    output === undefined ? undefined : typeof output === "string" ? inScope(output) : valueInScope(output);
  if (as === undefined && schema === undefined) return undefined;
  return {
    ...(schema === undefined ? {} : { schema: { document: schema } }),
    ...(as === undefined ? {} : { as }),
  };
}
