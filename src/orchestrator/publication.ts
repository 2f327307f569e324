import { fail } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import { SUPPORTED_FEATURES } from "../engine/index.ts";
import {
  type Diagnostic,
  diagnosticText,
  unsupportedFeatures,
  type WorkflowDocument,
} from "../workflow/index.ts";

/** What in a document this build cannot run, by name; empty when it can. */
export function refusals(document: WorkflowDocument, secrets: boolean): Diagnostic[] {
  const supported = secrets ? new Set([...SUPPORTED_FEATURES, "authentication.secret"]) : SUPPORTED_FEATURES;
  return unsupportedFeatures(document, supported);
}

/** @throws Failure `unsupported` naming everything that the build lacks */
export function refuseUnsupported(document: JsonObject, secrets: boolean): void {
  const found = refusals(document as unknown as WorkflowDocument, secrets);
  if (found.length === 0) return;
  throw fail("unsupported", found.map(diagnosticText).join("; "), { details: { diagnostics: found } });
}
