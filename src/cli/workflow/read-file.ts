import { resolve } from "node:path";
import { readTextFile } from "../../base/read-file.ts";
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
  return { text: readTextFile(resolve(io.cwd, file)), name: file };
}
