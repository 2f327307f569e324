import { Failure, fail } from "../base/errors.ts";
import { pointerTokens } from "../base/pointer.ts";

/**
 * A refusal that begins with the JSON pointer of its place, said with the line of that place in the file that it came from;
 * any other error as it is.
 * @param text of the file, JSON or YAML
 * @param member of the request, when the pointer leads into it through that one
 */
export async function withLine(
  error: unknown,
  text: string,
  file: string,
  member?: string,
): Promise<unknown> {
  const found = error instanceof Failure ? /^\/(\S*): (.*)$/s.exec(error.message) : null;
  if (found === null || !(error instanceof Failure)) return error;
  const [, pointer, reason] = found as unknown as [string, string, string];
  const inside = member !== undefined && `${pointer}/`.startsWith(`${member}/`);
  const place = inside ? pointer.slice(member.length + 1) : pointer;
  const keys = pointerTokens(place === "" ? "" : `/${place}`);
  const [{ LineCounter, parseDocument }, { offsetOf }] = await Promise.all([
    import("yaml"),
    import("./yaml-place.ts"),
  ]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const { line, col } = lines.linePos(offsetOf(document.contents, keys));
  const { code, hint, details } = error;
  return fail(code, `${file}:${line}:${col}: /${place}: ${reason}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(details === undefined ? {} : { details }),
    cause: error,
  });
}
