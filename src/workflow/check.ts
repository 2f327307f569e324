import { type Diagnostic, type Positions, withPositions } from "./diagnostic.ts";
import type { Mode } from "./schema/index.ts";
import { schemaDiagnostics } from "./validate.ts";

export interface CheckOptions {
  readonly mode: Mode;
  readonly positions?: Positions;
}

/** Everything that stands against publishing a value as a document; empty when nothing does. */
export function checkDocument(value: unknown, options: CheckOptions): Diagnostic[] {
  const diagnostics = schemaDiagnostics(value, options.mode);
  return options.positions === undefined ? diagnostics : withPositions(diagnostics, options.positions);
}
