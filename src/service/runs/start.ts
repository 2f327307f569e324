import { isAbsolute, resolve } from "node:path";
import { Type } from "@sinclair/typebox";
import { sha256 } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import { randomToken } from "../../base/ids.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { RunOptions } from "../../store/index.ts";
import { keepCode } from "../assets/keep-code.ts";
import { loadAssets } from "../assets/load.ts";
import { orchestrationOf, type ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { workspacePoliciesOfTurn } from "../policy/workspace.ts";
import { closed, RunId, StartedRun } from "../shapes.ts";
import { layInputs } from "./inputs.ts";

/** `workflow.text_plan` at some time becomes `text_plan-m3k9x2-7Qx4`: sortable, short enough to type. */
export function newRunId(workflow: string, now: number): string {
  const fragment = workflow
    .replace(/^workflow\./, "")
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 64)
    .replace(/^[._-]+|[._-]+$/g, "");
  return `${fragment || "run"}-${now.toString(36)}-${randomToken(4).replaceAll(/[-_]/g, "0")}`;
}

/** What a caller said about the identity of a run. */
export interface StartIdentity {
  run_id?: string;
  idempotent?: boolean;
  idempotency_key?: string;
}

/**
 * The run's id, and whether a repeat is to find it. A key stands for one request whatever it asks: the same key with another
 * request is a conflict. Where the caller names the run itself, the name is the key.
 */
export function identityOf(given: StartIdentity, workflow: string, now: number) {
  const { run_id, idempotency_key: key } = given;
  const idempotent = given.idempotent === true || key !== undefined;
  if (run_id !== undefined) return { runId: run_id, idempotent };
  if (key !== undefined) return { runId: `once-${sha256(key).slice(0, 32)}`, idempotent };
  return { runId: newRunId(workflow, now), idempotent };
}

/** The header `Idempotency-Key`, as a member of the input. */
export const IdempotencyKey = Type.Optional(Type.String({ minLength: 1, maxLength: 255 }));

/** What of a request is kept with the run beside its inputs; nothing for a plain start. */
function optionsFor(input: Pick<StartAsset, "no_cache" | "preset" | "origin" | "sweep">) {
  const options: RunOptions = {
    ...(input.no_cache === true ? { cache: "off" } : {}),
    ...(input.preset === undefined ? {} : { preset: input.preset }),
    ...(input.origin === undefined ? {} : { origin: input.origin }),
    ...(input.sweep === undefined ? {} : { sweep: input.sweep }),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

export const startRun = defineOperation({
  name: "run.start",
  scope: "run",
  summary: "Start a run of a workflow asset; it goes on to its end by itself",
  method: "POST",
  path: "/runs/start",
  status: 202,
  idempotent: true,
  input: closed({
    workflow_asset_id: Type.String({ minLength: 1, maxLength: 256 }),
    run_id: Type.Optional(RunId),
    inputs: Type.Optional(Type.Unknown()),
    /** Single inputs as texts, over those of `inputs`; each is read as its port wants it. */
    set: Type.Optional(Type.Record(Type.String({ maxLength: 256 }), Type.String())),
    /** A file of `lightflow/presets/` whose inputs stand below the others. */
    preset: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
    /** Repeating a start with the same run id and content is answered with the first run. */
    idempotent: Type.Optional(Type.Boolean()),
    idempotency_key: IdempotencyKey,
    /** Run every step, whatever is known; the outputs replace what is kept. */
    no_cache: Type.Optional(Type.Boolean()),
    /** Only from a caller on this host: the project to take the asset from, and where relative paths start. */
    project_root: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    working_directory: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  }),
  output: StartedRun,
  run: (context, input) => startAsset(context, input as StartAsset),
});

interface StartedView {
  run_id: string;
  instance_id: string;
  created: boolean;
}

export interface StartAsset extends StartIdentity {
  workflow_asset_id: string;
  inputs?: Json;
  set?: Record<string, string>;
  preset?: string;
  no_cache?: boolean;
  project_root?: string;
  working_directory?: string;
  origin?: RunOptions["origin"];
  sweep?: RunOptions["sweep"];
}

/** Start the asset as its file says now. */
export async function startAsset(context: ServiceContext, input: StartAsset): Promise<StartedView> {
  const orchestration = orchestrationOf(context);
  if ((input.project_root !== undefined || input.working_directory !== undefined) && !context.trustsPaths) {
    throw fail("forbidden", "only a caller on the Unix socket may name a project directory");
  }
  const root = input.project_root ?? context.root;
  if (!isAbsolute(root)) throw fail("invalid_request", "/project_root: must be an absolute path");
  const { checkInputs, completeInputs, findPreset, readyWorkflowOfTurn } = await loadAssets();
  const found = readyWorkflowOfTurn(root, input.workflow_asset_id);
  const given = layInputs(found.definition, {
    preset:
      input.preset === undefined
        ? undefined
        : (findPreset(root, input.preset, input.workflow_asset_id).inputs as JsonObject),
    inputs: input.inputs,
    set: input.set,
  });
  const issues = checkInputs(found.definition, given);
  if (issues.length > 0) {
    throw fail(
      "invalid_request",
      issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; "),
      {
        hint: `see the inputs of ${input.workflow_asset_id}: lightflow assets show ${input.workflow_asset_id}`,
        details: { issues },
      },
    );
  }
  if (found.issues.length > 0) {
    throw fail("asset_invalid", found.issues.map(({ message }) => message).join("; "), {
      hint: found.issues[0]!.hint,
      details: { id: input.workflow_asset_id, diagnostics: found.issues },
    });
  }
  const directory = resolve(input.working_directory ?? root);
  const inputs = completeInputs(found.definition, given, directory, Math.random);
  const document = found.document as unknown as JsonObject;
  const identity = identityOf(input, input.workflow_asset_id, context.clock.wall());
  await keepCode(context, found);
  const started = await orchestration.start({
    tenantId: context.tenantId,
    ...identity,
    sourceEventId: null,
    workflow: input.workflow_asset_id,
    assetId: input.workflow_asset_id,
    document,
    digest: found.digest,
    input: inputs,
    options: { ...optionsFor(input), by: context.principal.subject },
    workspace: await workspacePoliciesOfTurn(root),
  });
  context.onStarted?.(started.runId);
  return { run_id: started.runId, instance_id: started.instanceId, created: started.created };
}
