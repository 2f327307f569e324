import type { Json, JsonObject } from "../../base/json.ts";
import type { CommandTarget, WorkflowStepDef } from "../definition/types.ts";
import { EXPORT_SCOPE, exportOf, inScope, SCOPE_INPUT } from "./scope.ts";

/** RFC 9457 type of the error that a `fail` step raises. */
const RUNTIME_ERROR = "https://serverlessworkflow.io/spec/1.0.0/errors/runtime";

/** One step as a task of the workflow language. */
export function taskOf(step: WorkflowStepDef): JsonObject {
  const { export: exported, metadata, ...own } = ownPart(step);
  return {
    // Evaluated on the raw input, before `input.from`.
    ...(step.if === undefined ? {} : { if: inScope(step.if) }),
    input: { from: SCOPE_INPUT },
    ...own,
    export: { as: exported },
    ...(step.timeout === undefined ? {} : { timeout: { after: step.timeout } }),
    ...(step.then === undefined ? {} : { then: step.then }),
    ...metadataOf(step, metadata),
  };
}

interface OwnPart {
  readonly [key: string]: Json | undefined;
  readonly export: string;
  readonly metadata?: JsonObject;
}

function ownPart(step: WorkflowStepDef): OwnPart {
  const { target, step_id: id } = step;
  switch (target.kind) {
    case "command":
      return { ...commandTask(target), export: exportOf(id, true) };
    case "set":
      return { set: target.value, export: exportOf(id, false) };
    case "assert":
      return { assert: { that: target.that, message: target.message }, export: EXPORT_SCOPE };
    case "switch":
      return { switch: switchCases(target.cases), export: EXPORT_SCOPE };
    case "fail": {
      const { title, detail, status } = target;
      return { raise: { error: { type: RUNTIME_ERROR, status, title, detail } }, export: EXPORT_SCOPE };
    }
    case "api":
      return exchangeTask(step, { kind: "api", format: target.format });
    case "tool":
      return exchangeTask(step, { kind: "tool", tool: target.tool_id });
    case "thread":
      return exchangeTask(step, { kind: "thread", thread: target.thread_id });
  }
}

function switchCases(cases: readonly { when?: string; then: string }[]): Json[] {
  return cases.map(({ when, then }, index) => ({
    [when === undefined ? "otherwise" : `case${index + 1}`]: {
      ...(when === undefined ? {} : { when }),
      then,
    },
  }));
}

function exchangeTask(step: WorkflowStepDef, target: JsonObject): OwnPart {
  return { call: "cortex", with: { target, body: requestBody(step) }, export: exportOf(step.step_id, false) };
}

/**
 * The request that a `/ctx` step commits. Without a template the workflow's inputs are the request; the seed's chat
 * template puts one input field into one user message and leaves the choice of a model to the route.
 */
function requestBody(step: WorkflowStepDef): Json {
  const { request } = step;
  if (request === undefined) return "${ .inputs }";
  if (request.kind === "json") return request.body;
  const content = `\${ .inputs[${JSON.stringify(request.input_field)}] }`;
  return { messages: [{ role: "user", content }] };
}

function commandTask(target: CommandTarget): { run: JsonObject; metadata: JsonObject } {
  const { environment, stdin, pool } = target;
  const runner: JsonObject = {
    ...(pool === undefined ? {} : { runnerPool: pool }),
    ...(target.capabilities.length === 0 ? {} : { capabilities: [...target.capabilities] }),
  };
  return {
    run: {
      shell: {
        command: target.command,
        arguments: [...target.arguments],
        ...(Object.keys(environment).length === 0 ? {} : { environment: { ...environment } }),
        ...(stdin === undefined ? {} : { stdin }),
      },
    },
    metadata: {
      ...(Object.keys(runner).length === 0 ? {} : { runner }),
      // Stated always: it is what makes the command's record, and not its standard output, the result.
      output: target.output,
      workspace: target.workspace,
      ...(target.repeatable ? { repeatable: true } : {}),
      ...(target.mounts.length === 0 ? {} : { mounts: target.mounts.map(mountOf) }),
      ...(target.artifacts.length === 0 ? {} : { artifacts: target.artifacts.map(artifactOf) }),
    },
  };
}

function mountOf({ source, target, read_only }: CommandTarget["mounts"][number]): JsonObject {
  // Seen under its own path, unless it says otherwise: what names it in an argument then reads in the sandbox too.
  return { source, target: target ?? source, readOnly: read_only };
}

function artifactOf({ path, name, media_type }: CommandTarget["artifacts"][number]): JsonObject {
  return {
    path,
    ...(name === undefined ? {} : { name }),
    ...(media_type === undefined ? {} : { mediaType: media_type }),
  };
}

function metadataOf(step: WorkflowStepDef, lightWorkflow: JsonObject | undefined): { metadata?: JsonObject } {
  const lightFlow: JsonObject = {
    ...(step.title === undefined ? {} : { title: step.title }),
    ...(step.node_or_composition_id === null ? {} : { node: step.node_or_composition_id }),
  };
  const metadata: JsonObject = {
    ...(lightWorkflow === undefined ? {} : { lightWorkflow }),
    ...(Object.keys(lightFlow).length === 0 ? {} : { lightFlow }),
  };
  return Object.keys(metadata).length === 0 ? {} : { metadata };
}
