/** What is wrong with an asset file. Stable: programs branch on it. */
export type DiagnosticCode =
  | "asset_unreadable"
  | "asset_too_large"
  | "asset_outside_project"
  | "asset_not_utf8"
  | "asset_too_deep"
  | "asset_syntax"
  | "meta_missing"
  | "meta_invalid"
  | "kind_mismatch"
  | "id_duplicate"
  | "define_missing"
  | "define_unsupported"
  | "id_mismatch"
  | "value_not_static"
  | "value_invalid"
  | "method_unknown"
  | "step_duplicate"
  | "step_unknown"
  | "input_unknown"
  | "schema_unreadable"
  | "document_invalid";

/** One problem of one file, with where it is and what to do. `line` and `column` count from 1, in UTF-16 units. */
export interface AssetDiagnostic {
  readonly code: DiagnosticCode;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
}

/** A problem while it is known only by its offset in the text. */
export class SourceProblem extends Error {
  override readonly name = "SourceProblem";
  constructor(
    readonly code: DiagnosticCode,
    message: string,
    readonly hint: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** Gathers problems, so that one of them does not hide the next. */
export class Problems {
  readonly list: SourceProblem[] = [];

  add(code: DiagnosticCode, offset: number, message: string, hint: string): void {
    this.list.push(new SourceProblem(code, message, hint, offset));
  }

  /** Run a part; a {@link SourceProblem} that it throws is gathered and the answer is `undefined`. */
  attempt<T>(part: () => T): T | undefined {
    try {
      return part();
    } catch (error) {
      if (!(error instanceof SourceProblem)) throw error;
      this.list.push(error);
      return undefined;
    }
  }
}

/** Problems as diagnostics of a file, in the order of the text. */
export function locate(path: string, text: string, problems: readonly SourceProblem[]): AssetDiagnostic[] {
  return [...problems]
    .sort((a, b) => a.offset - b.offset)
    .map((problem) => ({
      code: problem.code,
      path,
      ...positionOf(text, problem.offset),
      message: problem.message,
      hint: problem.hint,
    }));
}

/** Line and column of an offset, from 1. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lines = before.split(/\r\n|[\n\r\u2028\u2029]/);
  return { line: lines.length, column: lines.at(-1)!.length + 1 };
}
