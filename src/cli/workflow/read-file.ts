import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fail, toFailure } from "../../base/errors.ts";
import type { Io } from "../io.ts";

/** The one positional of the workflow commands. */
export const FILE = {
  name: "file",
  label: "file",
  about: "a workflow document, YAML or JSON; - for stdin",
} as const;

/** `strict` or `light`, for flags. */
export const MODE = {
  type: "string",
  value: "MODE",
  choices: ["strict", "light"],
  default: "light",
  about: "strict: the specification alone; light: with ask, assert, graph and the calls of agents",
} as const;

/** The text of a document and what messages call it. */
export async function readDocumentFile(file: string, io: Io): Promise<{ text: string; name: string }> {
  if (file === "-") return { text: await io.readInput(), name: "stdin" };
  const path = resolve(io.cwd, file);
  try {
    return { text: readFileSync(path, "utf8"), name: file };
  } catch (error) {
    throw fail("io", `cannot read ${path}: ${toFailure(error).message}`, { cause: error });
  }
}
