import type { Program } from "@oxc-project/types";

interface NativeError {
  readonly message: string;
  readonly helpMessage: string | null;
  readonly labels: readonly { readonly start: number; readonly message: string | null }[];
}

interface Native {
  parseSync(
    name: string,
    text: string,
    options: { lang: "ts"; sourceType: "module"; preserveParens: boolean },
  ): { readonly program: string; readonly errors: readonly NativeError[] };
}

let loaded: Native | undefined;

/**
 * The parser's native addon. `process.arch` and `LIGHTFLOW_LIBC` are constants to the bundler, so each compiled target embeds exactly
 * its own addon and the other package need not be installed; the parser's own loader resolves at run time, which
 * fails inside a compiled binary.
 */
function native(): Native {
  loaded ??= (
    process.env["LIGHTFLOW_LIBC"] === "musl"
      ? process.arch === "arm64"
        ? require("@oxc-parser/binding-linux-arm64-musl")
        : require("@oxc-parser/binding-linux-x64-musl")
      : process.arch === "arm64"
        ? require("@oxc-parser/binding-linux-arm64-gnu")
        : require("@oxc-parser/binding-linux-x64-gnu")
  ) as Native;
  return loaded;
}

export interface SyntaxProblem {
  readonly message: string;
  readonly hint: string | undefined;
  /** UTF-16 offset into the text. */
  readonly offset: number;
}

export interface Parsed {
  readonly program: Program;
  readonly problems: readonly SyntaxProblem[];
}

/**
 * Parse TypeScript text into an ESTree program with UTF-16 offsets. Never runs or resolves anything. The caller
 * bounds the nesting first ({@link file://./nesting.ts}): the native parser recurses and would take the process
 * down with it.
 */
export function parseTypeScript(text: string): Parsed {
  const result = native().parseSync("asset.ts", text, {
    lang: "ts",
    sourceType: "module",
    preserveParens: false,
  });
  // The program is read even when there are errors: an unread result keeps its native memory.
  const { node } = JSON.parse(result.program) as { node: Program };
  return {
    program: node,
    problems: result.errors.map((error) => ({
      message: error.message,
      hint: error.helpMessage ?? undefined,
      offset: error.labels[0]?.start ?? 0,
    })),
  };
}
