import { resolve } from "node:path";
import { fail, toFailure } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { readTextFile } from "../base/read-file.ts";
import { parseStrictJson } from "../base/strict-json.ts";
import type { Io } from "./io.ts";

/** A JSON argument: the text itself, `-` for stdin, or `@file`. */
export async function readJsonArgument(text: string, flag: string, io: Io): Promise<Json> {
  const source = await readTextArgument(text, io);
  try {
    return parseStrictJson(source);
  } catch (error) {
    const message = `${flag} is not valid JSON: ${toFailure(error).message}`;
    // What stands in a file needs no quotes.
    if (text === "-" || text.startsWith("@")) throw fail("invalid_json", message);
    throw fail("invalid_json", message, { hint: `quote it for the shell: ${flag} '{"name":"value"}'` });
  }
}

export async function readTextArgument(text: string, io: Io): Promise<string> {
  if (text === "-") return await io.readInput();
  if (!text.startsWith("@")) return text;
  return readTextFile(resolve(io.cwd, text.slice(1)));
}
