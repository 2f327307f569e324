/** What is wrong with a document: stable, for programs. */
export type DiagnosticCode =
  // The text
  | "syntax"
  | "too_large"
  | "too_deep"
  | "duplicate_key"
  | "not_json"
  // The schema
  | "unknown_property"
  | "conflicting_property"
  | "missing_property"
  | "wrong_type"
  | "invalid_value"
  | "unknown_task_type"
  // The meaning
  | "duplicate_name"
  | "reserved_name"
  | "unknown_target"
  | "unknown_reference"
  | "unknown_need"
  | "cycle"
  | "expression_invalid"
  | "expression_partial"
  | "incomplete"
  | "ignored"
  | "newer_than_dsl"
  | "unsupported";

export interface Diagnostic {
  readonly code: DiagnosticCode;
  /** A document with an error is not published; a warning is shown. */
  readonly severity: "error" | "warning";
  /** RFC 6901 pointer of the value at fault; of the object that holds it, for a missing property. */
  readonly pointer: string;
  readonly message: string;
  /** Both from 1, in the text the document was read from. */
  readonly line?: number;
  readonly column?: number;
  readonly hint?: string;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a value of the document stands in its text; `key` is where its name stands. */
export type Positions = (pointer: string, part?: "key" | "value") => Position | undefined;

/** The same diagnostics, each with its line and column where the text knows them. */
export function withPositions(diagnostics: readonly Diagnostic[], positions: Positions): Diagnostic[] {
  return diagnostics.map((diagnostic) => {
    const named = diagnostic.code === "unknown_property" || diagnostic.code === "duplicate_name";
    const position = positions(diagnostic.pointer, named ? "key" : "value");
    return position === undefined ? diagnostic : { ...diagnostic, ...position };
  });
}

/** `12:5 /do/0/build: message (hint)`, one line for people. */
export function diagnosticText(diagnostic: Diagnostic): string {
  const place = diagnostic.line === undefined ? "" : `${diagnostic.line}:${diagnostic.column} `;
  const hint = diagnostic.hint === undefined ? "" : ` (${diagnostic.hint})`;
  return `${place}${diagnostic.pointer || "/"}: ${diagnostic.message}${hint}`;
}
