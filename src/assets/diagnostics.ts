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
  | "document_invalid"
  | "node_missing"
  | "model_missing"
  | "node_without_behaviour"
  | "step_unsupported"
  | "port_missing"
  | "port_unknown"
  | "type_mismatch"
  | "input_unused"
  | "output_empty"
  | "cycle"
  | "data_invalid";

/** One problem of one file, with where it is and what to do. `line` and `column` count from 1, in UTF-16 units. */
export interface AssetDiagnostic {
  readonly code: DiagnosticCode;
  /** A file with an error is not used; a warning is only shown. */
  readonly severity: "error" | "warning";
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
    readonly severity: AssetDiagnostic["severity"] = "error",
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

  warn(code: DiagnosticCode, offset: number, message: string, hint: string): void {
    this.list.push(new SourceProblem(code, message, hint, offset, "warning"));
  }

  /** Whether anything but warnings was found. */
  get failed(): boolean {
    return this.list.some(({ severity }) => severity === "error");
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

/** An error about a file as a whole. */
export const located = (
  code: DiagnosticCode,
  path: string,
  message: string,
  hint: string,
): AssetDiagnostic => ({ code, severity: "error", path, line: 1, column: 1, message, hint });

/** More problems of one file than this tell a person nothing. */
const MAXIMUM_SHOWN = 100;

/** Problems as diagnostics of a file, in the order of the text: the first hundred. */
export function locate(path: string, text: string, problems: readonly SourceProblem[]): AssetDiagnostic[] {
  if (problems.length === 0) return [];
  const place = positionsOf(text);
  return [...problems]
    .sort((a, b) => a.offset - b.offset)
    .slice(0, MAXIMUM_SHOWN)
    .map((problem) => ({
      code: problem.code,
      severity: problem.severity,
      path,
      ...place(problem.offset),
      message: problem.message,
      hint: problem.hint,
    }));
}

/** Line and column of offsets into a text, both from 1. */
export function positionsOf(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (const end of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) starts.push(end.index + end[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  };
}
