import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import { isExpression } from "../expression/index.ts";
import {
  type Diagnostic,
  diagnosticText,
  joinPointer,
  type Mode,
  unsupportedFeatures,
  type WorkflowDocument,
} from "../workflow/index.ts";
import { SUPPORTED_FEATURES } from "./features.ts";

/** What in a document this build cannot run, by name; empty when it can. */
export function refusals(document: WorkflowDocument, secrets: boolean, mode: Mode = "light"): Diagnostic[] {
  const supported = secrets ? new Set([...SUPPORTED_FEATURES, "authentication.secret"]) : SUPPORTED_FEATURES;
  return [...unsupportedFeatures(document, supported, mode), ...refusedPlaces(document, "")];
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

/** A secret in an expression would enter the state, and an answer is not redacted: neither is taken for what it is not. */
function* refusedPlaces(value: unknown, pointer: string): Generator<Diagnostic> {
  const refused = (feature: string): Diagnostic => ({
    code: "unsupported",
    severity: "error",
    pointer,
    message: `\`${feature}\` is not supported by this build`,
  });
  if (typeof value === "string") {
    const key = pointer.slice(pointer.lastIndexOf("/") + 1);
    if (/\$secrets\b/.test(value) && (BARE.has(key) || isExpression(value))) yield refused("$secrets");
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* refusedPlaces(item, joinPointer(pointer, index));
  } else if (isObject(value)) {
    if (isObject(value["ask"]) && value["ask"]["sensitive"] === true) yield refused("ask.sensitive");
    if (isObject(value["subscription"]) && value["subscription"]["foreach"] !== undefined)
      yield refused("asyncapi.foreach");
    for (const [key, member] of Object.entries(value))
      yield* refusedPlaces(member, joinPointer(pointer, key));
  }
}

/** @throws Failure `unsupported` naming everything that the build lacks */
export function refuseUnsupported(document: JsonObject, secrets: boolean): void {
  const found = refusals(document as unknown as WorkflowDocument, secrets);
  if (found.length === 0) return;
  throw fail("unsupported", found.map(diagnosticText).join("; "), { details: { diagnostics: found } });
}
