import type { Json, JsonObject } from "../../base/json.ts";
import type { TaskHandler } from "./handler.ts";
import { lightOf, runRequest } from "./run-request.ts";
import { beginWorkflow, runsWorkflow } from "./run-workflow.ts";

/** `run: shell`, `script` and `container`: always an effect for a runner; nothing is run on the orchestrator's host. */
export const runTask: TaskHandler = {
  begin(machine, frame, node) {
    const run = node.task["run"] as JsonObject;
    if (runsWorkflow(node)) {
      beginWorkflow(machine, frame, node);
      return;
    }
    const request = runRequest(machine, frame, node.task);
    const effect = {
      kind: "run" as const,
      step_id: frame.name,
      reference: machine.reference(frame),
      request,
    };
    if (run["await"] !== false) {
      machine.await(frame, (id) => ({ ...effect, id }));
      return;
    }
    // Nobody waits: the result comes to an instance that has gone on, and changes nothing.
    machine.effects.push({ ...effect, id: machine.effectId() });
    machine.complete(frame, frame.input);
  },
  effectSucceeded(machine, frame, node, output) {
    if (runsWorkflow(node)) {
      machine.complete(frame, output);
      return;
    }
    const run = node.task["run"] as JsonObject;
    machine.complete(frame, shape(run, lightOf(node.task), output as JsonObject));
  },
  effectFailed(machine, frame, node, error, record) {
    const run = node.task["run"] as JsonObject;
    const exited = record !== undefined && typeof record["exitCode"] === "number";
    if (exited && (run["return"] === "code" || run["return"] === "all")) {
      machine.complete(frame, shape(run, lightOf(node.task), record));
    } else machine.fault(frame, error);
  },
};

/**
 * What the task returns. A task that declares `metadata.lightWorkflow.output` gets the command's record
 * `{exitCode, output, stdout?, artifacts, summary}`; any other gets what `run.return` asks for (DSL: stdout by default).
 */
function shape(run: JsonObject, light: JsonObject, record: JsonObject): Json {
  if (light["output"] !== undefined) {
    const { stderr: _, stdout, ...rest } = record;
    return light["output"] === "text" ? { ...rest, stdout: stdout ?? "" } : rest;
  }
  const what = run["return"] ?? "stdout";
  switch (what) {
    case "code":
      return record["exitCode"] ?? null;
    case "stderr":
      return record["stderr"] ?? "";
    case "all":
      return {
        stdout: record["stdout"] ?? "",
        stderr: record["stderr"] ?? "",
        code: record["exitCode"] ?? null,
      };
    case "none":
      return null;
    default:
      return record["stdout"] ?? "";
  }
}
