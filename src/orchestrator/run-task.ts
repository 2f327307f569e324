import { isObject, type JsonObject } from "../base/json.ts";
import type { Effect } from "../engine/index.ts";
import { coversName, type EffectivePolicy, renderTemplate } from "../policy/index.ts";
import type { ContainerTask, ShellTask, TaskPayload } from "../protocol/index.ts";
import { admits, checkEnvironment, checkProgram, denied } from "./admits.ts";

type RunRequest = Extract<Effect, { kind: "run" }>["request"];
type ShellRequest = Extract<RunRequest, { type: "run.shell" }>;
type ContainerRequest = Extract<RunRequest, { type: "run.container" }>;

/** The program of a task as policy lets it run. @throws Failure `execution_policy_denied` */
export function runTask(request: RunRequest, effective: EffectivePolicy): TaskPayload["task"] {
  if (isObject(request.light["agent"]) && request.type === "run.shell") {
    // Its programs were looked at when it was placed; here are the secrets of its servers.
    const { type, command, arguments: given, environment } = request;
    return { type, command, arguments: given, environment };
  }
  const action = actionGiven(request.light);
  if (action !== null) {
    checkEnvironment(request.environment, effective.policy);
    return {
      type: "run.shell",
      command: "lightflow",
      arguments: ["action", action.name],
      environment: request.environment,
      stdin: JSON.stringify(action.with),
    };
  }
  checkCode(request.light, effective);
  const task =
    request.type === "run.container" ? containerTask(request, effective) : shellTask(request, effective);
  checkEnvironment(task.environment, effective.policy);
  return task;
}

/** A node's function is known by the digest of its file: whoever lists some lets no other run. */
function checkCode({ code }: JsonObject, { policy }: EffectivePolicy): void {
  if (!isObject(code)) return;
  const digest = String((code as JsonObject)["source"]);
  const names = (set: readonly string[]) => set.some((wide) => coversName(wide, digest));
  const allowed = policy.allow?.codeDigests;
  if ((allowed === undefined || names(allowed)) && !names(policy.deny?.codeDigests ?? [])) return;
  throw denied(`the function with the digest ${digest} is not one that policy allows`, "allow.codeDigests");
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
  checkProgram(task.command, policy);
  return { type: request.type, ...task };
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
