import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { isExpression } from "../expression/index.ts";
import {
  type Diagnostic,
  diagnosticText,
  isTask,
  joinPointer,
  type Mode,
  unsupportedFeatures,
  type WorkflowDocument,
  walkTasks,
} from "../workflow/index.ts";
import { SUPPORTED_FEATURES } from "./features.ts";
import { mentionsSecrets, secretPlaces, secretReference } from "./secret-places.ts";
import { scriptProblem } from "./tasks/run-request.ts";

/** What in a document this build cannot run, by name; empty when it can. */
export function refusals(document: WorkflowDocument, mode: Mode = "light"): Diagnostic[] {
  const { evaluated, referenced } = secretPlaces(document);
  const mayHoldSecret = (pointer: string, text: string): boolean => {
    const within = (place: string) => pointer === place || pointer.startsWith(`${place}/`);
    // The tasks of a subscription's `foreach` stand in the call's arguments, and have places of their own.
    const evaluatedAt = (place: string) => within(place) && !within(`${place}/subscription/foreach`);
    return evaluated.some(evaluatedAt) || (referenced.some(within) && secretReference(text) !== null);
  };
  return [
    ...unsupportedFeatures(document, SUPPORTED_FEATURES, mode),
    ...refusedPlaces(document, "", mayHoldSecret),
    ...refusedScripts(document),
  ];
}

function* refusedScripts(document: WorkflowDocument): Generator<Diagnostic> {
  for (const { task, pointer } of walkTasks(document)) {
    if (!isTask(task, "run") || !("script" in task.run) || !("code" in task.run.script)) continue;
    const problem = scriptProblem(task.run.script.code);
    if (problem !== null)
      yield {
        code: "unsupported",
        severity: "error",
        pointer: `${pointer}/run/script/code`,
        message: `\`run.script\`: ${problem}`,
      };
  }
}

/** Keys whose text is an expression without `${ }` too. */
const BARE = new Set([
  "if",
  "when",
  "exceptWhen",
  "while",
  "in",
  "as",
  "from",
  "until",
  "that",
  "optionsFrom",
]);

/** A secret must not enter the state, and an answer is not redacted: neither is taken for what it is not. */
function* refusedPlaces(
  value: unknown,
  pointer: string,
  mayHoldSecret: (pointer: string, text: string) => boolean,
): Generator<Diagnostic> {
  const refused = (feature: string): Diagnostic => ({
    code: "unsupported",
    severity: "error",
    pointer,
    message: `\`${feature}\` is not supported by this build`,
  });
  if (typeof value === "string") {
    const key = pointer.slice(pointer.lastIndexOf("/") + 1);
    const read = mentionsSecrets(value) && (BARE.has(key) || isExpression(value));
    if (read && !mayHoldSecret(pointer, value))
      yield {
        ...refused("$secrets"),
        hint: "a secret would enter the state here: it may stand in what a call sends and, as `${ $secrets.name }`, in the environment of a command",
      };
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      yield* refusedPlaces(item, joinPointer(pointer, index), mayHoldSecret);
  } else if (isObject(value)) {
    if (isObject(value["ask"]) && value["ask"]["sensitive"] === true) yield refused("ask.sensitive");
    if (isObject(value["container"]) && value["container"]["ports"] !== undefined)
      yield {
        ...refused("run.container.ports"),
        hint: "nothing reaches a task from outside; let it write its answer to stdout",
      };
    for (const [key, member] of Object.entries(value))
      yield* refusedPlaces(member, joinPointer(pointer, key), mayHoldSecret);
  }
}

/** @throws Failure `unsupported` naming everything that the build lacks */
export function refuseUnsupported(document: JsonObject): void {
  const found = refusals(document as unknown as WorkflowDocument);
  if (found.length === 0) return;
  throw fail("unsupported", found.map(diagnosticText).join("; "), { details: { diagnostics: found } });
}
