import { resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import { readTextFile } from "../../base/read-file.ts";
import { parseStrictJson } from "../../base/strict-json.ts";
import type { Io } from "../io.ts";

export const POLICY_FILE = {
  name: "file",
  label: "file",
  about: "JSON or YAML; - for stdin",
} as const;

/** The text of a file that an operator publishes. */
export async function readPolicyText(file: string, io: Io): Promise<string> {
  return file === "-" ? await io.readInput() : readTextFile(resolve(io.cwd, file));
}

/** The value of such a text; a key that stands there twice is refused. @param file only for messages */
export async function parsePolicy(text: string, file: string): Promise<unknown> {
  if (/^\s*[[{]/.test(text)) return parseStrictJson(text);
  const [{ loadYaml }, { diagnosticText }] = await Promise.all([
    import("../../workflow/load-yaml.ts"),
    import("../../workflow/index.ts"),
  ]);
  const loaded = loadYaml(text);
  if (!Array.isArray(loaded)) return loaded.value;
  throw fail("invalid_request", `${file}: ${loaded.map(diagnosticText).join("; ")}`);
}
