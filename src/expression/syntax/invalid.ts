import { type Failure, fail } from "../../base/errors.ts";

/** An `expression_invalid` failure that names the place: `offset` in UTF-16 units, `line` and `column` from 1. */
export function invalid(source: string, offset: number, message: string): Failure {
  let line = 1;
  let lineStart = 0;
  for (let at = source.indexOf("\n"); at !== -1 && at < offset; at = source.indexOf("\n", at + 1)) {
    line++;
    lineStart = at + 1;
  }
  const column = offset - lineStart + 1;
  return fail("expression_invalid", `${message} (line ${line}, column ${column})`, {
    details: { offset, line, column },
  });
}
