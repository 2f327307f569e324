import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import type { Effect } from "../engine/index.ts";
import {
  coversName,
  coversPath,
  type EffectivePolicy,
  type PolicyLayer,
  renderTemplate,
} from "../policy/index.ts";
import type { ContainerTask, ShellTask, TaskPayload } from "../protocol/index.ts";

type RunRequest = Extract<Effect, { kind: "run" }>["request"];
type ShellRequest = Extract<RunRequest, { type: "run.shell" }>;
type ContainerRequest = Extract<RunRequest, { type: "run.container" }>;

export const denied = (why: string, field: string) =>
  fail("execution_policy_denied", why, { details: { field } });

/** Whether policy allows a name of a kind and does not deny it. */
const admits = (policy: PolicyLayer, kind: "images" | "environmentNames", name: string): boolean =>
  (policy.allow?.[kind] ?? []).some((wide) => coversName(wide, name)) &&
  !(policy.deny?.[kind] ?? []).some((wide) => coversName(wide, name));

/** The program of a task as policy lets it run. @throws Failure `execution_policy_denied` */
export function runTask(request: RunRequest, effective: EffectivePolicy): TaskPayload["task"] {
  if (isObject(request.light["agent"]) && request.type === "run.shell") {
    const { type, command, arguments: given } = request;
    return { type, command, arguments: given, environment: {} };
  }
  const action = actionGiven(request.light);
  if (action !== null) {
    checkEnvironment(request.environment, effective);
    return {
      type: "run.shell",
      command: "lightflow",
      arguments: ["action", action.name],
      environment: request.environment,
      stdin: JSON.stringify(action.with),
    };
  }
  const task =
    request.type === "run.container" ? containerTask(request, effective) : shellTask(request, effective);
  checkEnvironment(task.environment, effective);
  return task;
}

function containerTask(request: ContainerRequest, { policy, template }: EffectivePolicy): ContainerTask {
  const { type, image, command } = request;
  if (template !== null)
    throw denied("a container runs its image's commands, no template's", "allow.commandTemplates");
  if (!admits(policy, "images", image))
    throw denied(`the image ${image} is not one that policy allows`, "allow.images");
  return {
    type,
    image,
    ...(command === undefined ? {} : { command }),
    arguments: request.arguments,
    environment: request.environment,
    ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
  };
}

/** The argument vector: the template's with the task's values in its slots, or the task's own where that is allowed. */
function shellTask(request: ShellRequest, effective: EffectivePolicy): ShellTask {
  const { policy, template } = effective;
  const own = asWritten(request);
  const task: Omit<ShellTask, "type"> =
    template === null
      ? {
          command: request.command,
          arguments: request.arguments,
          environment: request.environment,
          ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
        }
      : renderTemplate(template.template, {
          ...own,
          environment: request.environment,
          ...(request.stdin === undefined ? {} : { stdin: request.stdin }),
        });
  const programs = policy.allow?.executables ?? [];
  if (!programs.includes("/") && !programs.some((path) => coversPath(path, task.command))) {
    throw denied(`the program ${task.command} is not one that policy allows`, "allow.executables");
  }
  if ((policy.deny?.executables ?? []).some((path) => coversPath(path, task.command))) {
    throw denied(`the program ${task.command} is denied by policy`, "deny.executables");
  }
  return { type: request.type, ...task };
}

function checkEnvironment(environment: ShellTask["environment"], { policy }: EffectivePolicy): void {
  for (const name of Object.keys(environment)) {
    if (!admits(policy, "environmentNames", name)) {
      throw denied(
        `the environment variable ${name} is not one that policy allows`,
        "allow.environmentNames",
      );
    }
  }
}

/** A command of several words was made a shell's argument; a template compares what the document says. */
function asWritten({ command, arguments: given }: ShellRequest): {
  command: string;
  arguments: string[];
} {
  const isText = command === "sh" && given[0] === "-c" && given[2] === "sh";
  return isText ? { command: given[1]!, arguments: given.slice(3) } : { command, arguments: given };
}

/** The fixed action a task names, with what it is given; null where it names none. */
export const actionGiven = (light: JsonObject): { name: string; with: JsonObject } | null => {
  const action = light["action"];
  if (!isObject(action)) return null;
  return {
    name: String(action["name"]),
    with: (isObject(action["with"]) ? action["with"] : {}) as JsonObject,
  };
};
