import { type Dirent, readdirSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import type { TSchema } from "@sinclair/typebox";
import type { Json } from "../../base/json.ts";
import { camelKeys, misfit } from "../definition/check.ts";
import { type AssetDiagnostic, locate, Problems } from "../diagnostics.ts";
import { constantOf, readModule } from "../module.ts";
import { nestingProblem } from "../nesting.ts";
import { parseTypeScript } from "../parser.ts";
import { readSource, type Source, type SourceResult, unreadableFolder } from "../source.ts";
import { offsetOf, staticValue } from "../values.ts";

/** A file that holds one exported constant: its value, or every problem. */
export interface ConstantFile<T> {
  readonly name: string;
  readonly source: Source | undefined;
  readonly value: T | undefined;
  readonly diagnostics: readonly AssetDiagnostic[];
}

/** The files of a folder below `lightflow/`, by name, in byte order; a missing folder is an empty one. */
export function filesOf(root: string, folder: string): { name: string; result: SourceResult }[] {
  const directory = join(resolve(root), "lightflow", folder);
  let entries: Dirent[];
  let realRoot: string;
  try {
    entries = readdirSync(directory, { withFileTypes: true });
    // Asked at every start, and there is mostly no file.
    if (entries.length === 0) return [];
    realRoot = realpathSync(resolve(root));
  } catch (error) {
    const diagnostic = unreadableFolder(resolve(root), directory, error);
    return diagnostic === undefined ? [] : [{ name: folder, result: { diagnostic } }];
  }
  return entries
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("."))
    .sort()
    .map((name) => ({ name, result: readSource(join(directory, name), realRoot) }));
}

/**
 * Read `export const NAME = { … }` of each TypeScript file of a folder: a literal, never run, that fits a closed schema.
 */
export function readConstants<T>(
  root: string,
  folder: string,
  constant: string,
  schema: TSchema,
): ConstantFile<T>[] {
  const files: ConstantFile<T>[] = [];
  for (const { name, result } of filesOf(root, folder)) {
    const isSource = name.endsWith(".ts") && !name.endsWith(".d.ts") && !name.endsWith(".test.ts");
    // What stands for the whole folder says that it could not be read.
    if (!isSource && name !== folder) continue;
    const short = name.slice(0, -3);
    if ("diagnostic" in result) {
      files.push({ name: short, source: undefined, value: undefined, diagnostics: [result.diagnostic] });
      continue;
    }
    const problems = new Problems();
    const value = problems.attempt(() => constantIn(result.source, constant, schema, problems));
    files.push({
      name: short,
      source: result.source,
      value: problems.list.length > 0 ? undefined : (value as T),
      diagnostics: locate(result.source.path, result.source.text, problems.list),
    });
  }
  return files;
}

function constantIn(source: Source, constant: string, schema: TSchema, problems: Problems): Json | undefined {
  const deep = nestingProblem(source.text);
  if (deep !== undefined) {
    problems.add("asset_too_deep", deep.offset, deep.message, "flatten the value");
    return undefined;
  }
  const parsed = parseTypeScript(source.text);
  for (const { offset, message, hint } of parsed.problems) {
    problems.add(
      "asset_syntax",
      offset,
      `failed to parse ${source.path}: ${message}`,
      hint ?? "correct the syntax",
    );
  }
  if (parsed.problems.length > 0) return undefined;
  const module = readModule(parsed.program);
  const node = constantOf(module, constant);
  if (node === undefined) {
    problems.add("data_invalid", 0, `there is no ${constant}`, `write export const ${constant} = { … }`);
    return undefined;
  }
  const value = camelKeys(schema, staticValue(node, module.constants));
  const wrong = misfit(schema, value);
  if (wrong !== undefined) {
    problems.add(
      "data_invalid",
      offsetOf(node, wrong.path, module.constants),
      `${constant}: ${wrong.message}`,
      wrong.hint,
    );
  }
  return value;
}
