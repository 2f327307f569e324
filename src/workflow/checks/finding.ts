import type { Diagnostic, DiagnosticCode } from "../diagnostic.ts";
import type { Mode, WorkflowDocument } from "../schema/index.ts";

/** One check over a document that already matches the schema. */
export type Check = (document: WorkflowDocument, mode: Mode) => Iterable<Diagnostic>;

export function error(code: DiagnosticCode, pointer: string, message: string, hint?: string): Diagnostic {
  return { code, severity: "error", pointer, message, ...(hint === undefined ? {} : { hint }) };
}

export function warning(code: DiagnosticCode, pointer: string, message: string, hint?: string): Diagnostic {
  return { ...error(code, pointer, message, hint), severity: "warning" };
}

export function didYouMean(meant: string | undefined): string | undefined {
  return meant === undefined ? undefined : `did you mean \`${meant}\`?`;
}
