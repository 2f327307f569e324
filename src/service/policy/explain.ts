import { isAbsolute } from "node:path";
import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { WorkspacePolicy } from "../../policy/index.ts";
import { findAgent, findPublished, policyRegistry, readDefinition } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { AnyJson, closed, Integer, named, nullable, Text } from "../shapes.ts";
import { Tenant, tenantOf } from "../tokens/view.ts";
import { workspacePolicies } from "./workspace.ts";

const Field = closed({ field: Text, value: AnyJson, meet: Text, decided_by: Type.Array(Text) });
const Refused = nullable(closed({ code: Text, message: Text, layer: nullable(Text), field: nullable(Text) }));
const Task = closed({
  reference: Text,
  name: Text,
  type: Text,
  runtime: Text,
  reasons: Type.Array(Text),
  runner_pool: nullable(Text),
  command_template: nullable(closed({ id: Text, version: Integer, digest: Text })),
  agent: nullable(
    closed({
      name: Text,
      version: Text,
      digest: Text,
      placement: Text,
      model_provider_scope: Text,
      data_boundary: Text,
      tools: Type.Array(Text),
    }),
  ),
  network: nullable(Text),
  task_ms: nullable(Integer),
  approval_required: Type.Boolean(),
  fields: Type.Array(Field),
  refused: Refused,
});

const Part = Type.String({ minLength: 1, maxLength: 128 });
const input = closed({
  /** One of the three: a document, a published workflow, an asset of the project. */
  document: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  workflow: Type.Optional(closed({ namespace: Part, name: Part, version: Type.Optional(Part) })),
  workflow_asset_id: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  project_root: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  /** A task by its name or reference; all where none is said. */
  task: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  tenant: Type.Optional(Tenant),
});

export const explainPolicy = defineOperation({
  name: "policy.explain",
  scope: "read",
  summary:
    "What policy makes of a workflow, field by field with the layer that decided, before anything runs",
  method: "POST",
  path: "/policy/explain",
  input,
  output: named(
    "ExplainedPolicy",
    closed({
      tenant: Text,
      digest: nullable(Text),
      layers: Type.Array(Text),
      fields: Type.Array(Field),
      tasks: Type.Array(Task),
      refused: Refused,
    }),
  ),
  async run(context, given) {
    const tenantId = tenantOf(context, given.tenant);
    const { document, workspace } = await documentOf(context, tenantId, given);
    const policy = await import("../../policy/index.ts");
    const registry = context.views.read(policyRegistry, { tenantId });
    const explained = policy.explainPolicy(registry, document, workspace, (reference) =>
      context.views.read(findAgent, { tenantId, reference }),
    );
    const tasks =
      given.task === undefined
        ? explained.tasks
        : explained.tasks.filter(({ name, reference }) => name === given.task || reference === given.task);
    if (tasks.length === 0 && given.task !== undefined && explained.tasks.length > 0) {
      throw fail("not_found", `the workflow has no task ${given.task}`, {
        hint: `its tasks are ${explained.tasks.map(({ name }) => name).join(", ")}`,
      });
    }
    return JSON.parse(JSON.stringify({ ...explained, tasks })) as never;
  },
});

async function documentOf(
  context: ServiceContext,
  tenantId: string,
  given: {
    document?: Record<string, unknown>;
    workflow?: { namespace: string; name: string; version?: string };
    workflow_asset_id?: string;
    project_root?: string;
  },
): Promise<{ document: JsonObject; workspace: WorkspacePolicy[] }> {
  const { document, workflow, workflow_asset_id: asset } = given;
  if ([document, workflow, asset].filter((each) => each !== undefined).length !== 1) {
    throw fail("invalid_request", "give one of document, workflow and workflow_asset_id");
  }
  if (document !== undefined) {
    const { checkDocument, documentInvalid } = await import("../../workflow/index.ts");
    const diagnostics = checkDocument(document as JsonObject, { mode: "light" });
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    if (errors.length > 0) throw documentInvalid(errors, diagnostics);
    return { document: document as JsonObject, workspace: [] };
  }
  if (workflow !== undefined) {
    const { namespace, name, version = "latest" } = workflow;
    const found = context.views.read(findPublished, { tenantId, namespace, name, version });
    if (found === undefined)
      throw fail("not_found", `no workflow is published as ${namespace}/${name} ${version}`);
    return { document: context.views.read(readDefinition, found.digest)!, workspace: [] };
  }
  if (given.project_root !== undefined && !context.trustsPaths) {
    throw fail("forbidden", "only a caller on this host may name a project directory");
  }
  const root = given.project_root ?? context.root;
  if (!isAbsolute(root)) throw fail("invalid_request", "/project_root: must be an absolute path");
  const { readyWorkflow } = await import("../../assets/index.ts");
  return {
    document: readyWorkflow(root, asset!).document as unknown as JsonObject,
    workspace: await workspacePolicies(root),
  };
}
