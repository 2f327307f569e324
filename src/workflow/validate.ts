import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import type { Diagnostic } from "./diagnostic.ts";
import { explain } from "./explain.ts";
import { Document, type Mode, TASK_DEFINITIONS, type WorkflowDocument } from "./schema/index.ts";

/** Compiling costs milliseconds, so each mode is compiled at its first use. */
const compiled = new Map<Mode, TypeCheck<typeof Document>>();

/** Whether a value matches the schema of a mode. */
export function matchesSchema(value: unknown, mode: Mode): value is WorkflowDocument {
  let check = compiled.get(mode);
  if (check === undefined) {
    const { Task, TaskList } = TASK_DEFINITIONS[mode];
    check = TypeCompiler.Compile(Document, [Task, TaskList]);
    compiled.set(mode, check);
  }
  return check.Check(value);
}

/** What the schema of a mode has against a value; empty when it matches. */
export function schemaDiagnostics(value: unknown, mode: Mode): Diagnostic[] {
  if (matchesSchema(value, mode)) return [];
  const found = explain(Document, value, mode);
  if (found.length > 0) return found;
  return [{ code: "invalid_value", severity: "error", pointer: "", message: "does not match the schema" }];
}
