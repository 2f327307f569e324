import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { evaluateTemplate } from "../data-flow.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";
import { secretReference } from "../secret-places.ts";
import type { Frame, RunRequest } from "../state.ts";
import type { TaskHandler } from "./handler.ts";
import { beginWorkflow, runsWorkflow } from "./run-workflow.ts";

/** `run: shell`: always an effect for a runner; nothing is run on the orchestrator's host. */
export const runTask: TaskHandler = {
  begin(machine, frame, node) {
    const run = node.task["run"] as JsonObject;
    if (runsWorkflow(node)) {
      beginWorkflow(machine, frame, node);
      return;
    }
    const shell = run["shell"];
    if (!isObject(shell)) {
      throw fault("configuration", `run.${Object.keys(run)[0]} is not supported by this build; run.shell is`);
    }
    const request = shellRequest(machine, frame, node.task, shell as JsonObject);
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

function lightOf(task: JsonObject): JsonObject {
  const metadata = task["metadata"];
  const light = isObject(metadata) ? metadata["lightWorkflow"] : undefined;
  return isObject(light) ? (light as JsonObject) : {};
}

function text(value: Json, what: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw fault(
    "expression",
    `${what} must be text, a number or a boolean, not ${JSON.stringify(value)?.slice(0, 100)}`,
  );
}

function shellRequest(machine: Machine, frame: Frame, task: JsonObject, shell: JsonObject): RunRequest {
  const command = shell["command"];
  if (typeof command !== "string" || command.includes("${")) {
    throw fault("validation", "run.shell.command must be a literal; pass values as arguments");
  }
  const evaluated = evaluateTemplate(machine, frame, "run/shell", {
    arguments: shell["arguments"] ?? [],
    environment: withReferences((shell["environment"] ?? {}) as JsonObject),
    stdin: shell["stdin"] ?? null,
  }) as { arguments: Json; environment: Json; stdin: Json };
  const light = evaluateTemplate(machine, frame, "metadata/lightWorkflow", lightOf(task)) as JsonObject;
  return {
    type: "run.shell",
    ...invocation(command, argumentVector(evaluated.arguments)),
    environment: Object.fromEntries(
      Object.entries((evaluated.environment ?? {}) as JsonObject).map(([name, value]) => [
        name,
        text(value, `environment ${name}`),
      ]),
    ),
    ...(evaluated.stdin === null ? {} : { stdin: text(evaluated.stdin, "stdin") }),
    light,
    timeout_ms: machine.timeoutOf(machine.definition.task(frame.pointer), frame),
  };
}

/** A secret of a command is the runner's to resolve: the state and the queue hold its name. */
function withReferences(environment: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const secret = typeof value === "string" ? secretReference(value) : null;
      return [name, secret === null ? value : `runner-secret://${secret}`];
    }),
  );
}

/** One word: the name or the path of a program. */
const PROGRAM = /^[\w@%+=:,./-]+$/;

/**
 * A single word is a program with its arguments. Anything else is shell text as the document wrote it, without any
 * expression in it, and the arguments are its `$1`, `$2`, … .
 */
function invocation(command: string, given: string[]): { command: string; arguments: string[] } {
  if (PROGRAM.test(command)) return { command, arguments: given };
  return { command: "sh", arguments: ["-c", command, "sh", ...given] };
}

function argumentVector(value: Json): string[] {
  if (!Array.isArray(value)) throw fault("expression", "run.shell.arguments must be a list");
  return value.map((item, at) => text(item, `argument ${at}`));
}

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
