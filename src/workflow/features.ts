import { isObject } from "../base/json.ts";
import { joinPointer } from "../base/pointer.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { callKind, isCall, isTask, runKind, taskKind } from "./kind.ts";
import type { Mode, Task, WorkflowDocument } from "./schema/index.ts";
import { documentPlaces } from "./scopes.ts";
import { walkTasks } from "./walk.ts";

/**
 * What a build may or may not be able to run, by name:
 * - a task's kind: `do`, `set`, `fork`, `listen`, …;
 * - `call.http`, …, `call.function`, and for the protocols inside AsyncAPI `call.asyncapi.kafka`;
 * - `run.shell`, `run.script`, `run.container`, `run.workflow`, and `run.detached` for `await: false`;
 * - `script.js`, `script.python`, … for the language of a script;
 * - `function.url`, `function.catalog` for functions from elsewhere;
 * - `schedule.every`, `.cron`, `.after`, `.on`; `extension`;
 * - `authentication.basic`, …; `authentication.secret` for a scheme whose properties come from a secret;
 * - `schema.resource` for a schema that is not written inline; `schema.format` for another format than JSON.
 */
export interface UsedFeature {
  readonly feature: string;
  readonly pointer: string;
}

const SCHEMES = ["basic", "bearer", "digest", "oauth2", "oidc"];

/** Every feature a valid document uses, where it uses it. */
export function* featuresOf(document: WorkflowDocument, mode: Mode = "light"): Generator<UsedFeature> {
  for (const kind of ["every", "cron", "after", "on"] as const)
    if (document.schedule?.[kind] !== undefined)
      yield { feature: `schedule.${kind}`, pointer: `/schedule/${kind}` };
  for (const [index, item] of (document.use?.extensions ?? []).entries())
    for (const name of Object.keys(item))
      yield { feature: "extension", pointer: joinPointer("/use/extensions", index, name) };
  for (const { task, pointer } of walkTasks(document))
    for (const feature of taskFeatures(task, mode)) yield { feature, pointer };
  for (const { schema, value, pointer } of documentPlaces(document, mode)) {
    if (!isObject(value)) continue;
    if (schema.$id === "AuthenticationReference" || schema.$id === "AuthenticationPolicy")
      for (const scheme of SCHEMES)
        if (scheme in value)
          yield { feature: `authentication.${scheme}`, pointer: joinPointer(pointer, scheme) };
    if (schema.$id === "AuthenticationFromSecret") yield { feature: "authentication.secret", pointer };
    if (schema.$id !== "SchemaDefinition") continue;
    if ("resource" in value) yield { feature: "schema.resource", pointer };
    if (typeof value["format"] === "string" && !/^json(?::|$)/.test(value["format"]))
      yield { feature: "schema.format", pointer: `${pointer}/format` };
  }
}

function* taskFeatures(task: Task, mode: Mode): Generator<string> {
  if (isTask(task, "run")) {
    yield `run.${runKind(task)}`;
    if ("script" in task.run) yield `script.${task.run.script.language}`;
    if (task.run.await === false) yield "run.detached";
  } else if (isTask(task, "call")) {
    const kind = callKind(task, mode);
    yield `call.${kind}`;
    if (kind === "function" && task.call.includes("://")) yield "function.url";
    else if (kind === "function" && task.call.includes("@")) yield "function.catalog";
    if (isCall(task, "asyncapi") && task.with.protocol !== undefined)
      yield `call.asyncapi.${task.with.protocol}`;
  } else yield taskKind(task);
}

/** One error for each place that needs a feature the build lacks, so that publication can refuse by name. */
export function unsupportedFeatures(
  document: WorkflowDocument,
  supported: ReadonlySet<string>,
  mode: Mode = "light",
): Diagnostic[] {
  return [...featuresOf(document, mode)]
    .filter(({ feature }) => !supported.has(feature))
    .map(({ feature, pointer }) => ({
      code: "unsupported",
      severity: "error",
      pointer,
      message: `\`${feature}\` is not supported by this build`,
    }));
}
