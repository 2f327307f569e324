import { LIMITS } from "../base/limits.ts";
import { checkCompleteness } from "./checks/completeness.ts";
import { checkExpressions } from "./checks/expressions.ts";
import type { Check } from "./checks/finding.ts";
import { checkFlow } from "./checks/flow.ts";
import { checkGraphs } from "./checks/graph.ts";
import { checkLocals } from "./checks/locals.ts";
import { checkNewer } from "./checks/newer.ts";
import { checkReferences } from "./checks/references.ts";
import { type Diagnostic, type Positions, withPositions } from "./diagnostic.ts";
import type { Mode, WorkflowDocument } from "./schema/index.ts";
import { schemaDiagnostics } from "./validate.ts";

export interface CheckOptions {
  readonly mode: Mode;
  readonly positions?: Positions;
}

const CHECKS: readonly Check[] = [
  checkCompleteness,
  checkFlow,
  checkReferences,
  checkExpressions,
  checkGraphs,
  checkLocals,
  checkNewer,
];

/**
 * Everything that stands against publishing a value as a document: the schema first, and where it holds, what the
 * document means. Errors and warnings; empty when there is nothing to say.
 */
export function checkDocument(value: unknown, options: CheckOptions): Diagnostic[] {
  const diagnostics = isDeeper(value, LIMITS.documentDepth)
    ? [tooDeep()]
    : schemaDiagnostics(value, options.mode);
  // The schema says nothing against it, so it is a document.
  if (diagnostics.length === 0)
    for (const check of CHECKS) diagnostics.push(...check(value as WorkflowDocument, options.mode));
  return options.positions === undefined ? diagnostics : withPositions(diagnostics, options.positions);
}

/** Values that did not come through a reader with a limit, from a program say, must not overflow the stack here. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

function tooDeep(): Diagnostic {
  return {
    code: "too_deep",
    severity: "error",
    pointer: "",
    message: `more than ${LIMITS.documentDepth} levels`,
  };
}
