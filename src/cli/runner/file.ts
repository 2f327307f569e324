import { readFileSync } from "node:fs";
import type { TSchema } from "@sinclair/typebox";
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value";
import { LineCounter, parseDocument } from "yaml";
import { nearest } from "../../assets/nearest.ts";
import { type Failure, fail } from "../../base/errors.ts";
import { RunnerFile } from "../../host/runner-tools.ts";
import { offsetOf } from "../yaml-place.ts";

const HINT = "the keys are listed in docs/13-runner.md";

/** @throws Failure `io`, or `schema_violation` as `path:line:column: what is wrong` */
export function readRunnerFile(path: string): RunnerFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fail("io", `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  return parseRunnerFile(text, path);
}

/** @param path only for messages */
export function parseRunnerFile(text: string, path: string): RunnerFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const refuse = (offset: number, message: string, hint = HINT): Failure => {
    const { line, col } = lines.linePos(offset);
    return fail("schema_violation", `${path}:${line}:${col}: ${message}`, { hint });
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw refuse(broken.pos[0], broken.message);
  // An alias is how a small file becomes a large one, and nothing here is said twice.
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const [wrong] = Value.Errors(RunnerFile, value);
  if (wrong === undefined) return value as RunnerFile;
  const keys = wrong.path.split("/").slice(1);
  throw refuse(
    offsetOf(document.contents, keys),
    explain(keys, wrong),
    keys[0] === "secrets" ? SECRET_HINT : HINT,
  );
}

const SECRET_HINT =
  "a secret is a reference: {env: NAME}, {file: /path}, {credential: NAME} or {vault: {path, field}}";

function explain(keys: readonly string[], { type, message }: ValueError): string {
  const name = keys.join(".") || "the file";
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    return `unknown key ${name}${nearest(keys.at(-1)!, siblings(keys), "; did you mean ")}`;
  }
  if (type === ValueErrorType.ObjectRequiredProperty) return `${name} is missing`;
  if (keys[0] === "secrets" && keys.length > 1)
    return `${keys.slice(0, 2).join(".")} is not a reference to a secret`;
  return `${name}: ${message[0]!.toLowerCase()}${message.slice(1)}`;
}

/** The keys that could stand beside the last of a path. */
function siblings(keys: readonly string[]): string[] {
  let schema: TSchema | undefined = RunnerFile;
  for (const key of keys.slice(0, -1)) schema = schema?.["properties"]?.[key];
  return Object.keys(schema?.["properties"] ?? {});
}
