import { Failure, fail } from "../base/errors.ts";

/**
 * A refusal that begins with the JSON pointer of its place, said with the line of that place in the file that it came from;
 * any other error as it is.
 * @param text of the file, JSON or YAML
 */
export async function withLine(error: unknown, text: string, file: string): Promise<unknown> {
  const found = error instanceof Failure ? /^\/(\S*): /.exec(error.message) : null;
  if (found === null || !(error instanceof Failure)) return error;
  const keys = found[1]!
    .split("/")
    .filter((key) => key !== "")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const [{ LineCounter, parseDocument }, { offsetOf }] = await Promise.all([
    import("yaml"),
    import("./yaml-place.ts"),
  ]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const { line, col } = lines.linePos(offsetOf(document.contents, keys));
  const { code, hint, details, message } = error;
  return fail(code, `${file}:${line}:${col}: ${message}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
    cause: error,
  });
}
