import type { Problems } from "./diagnostics.ts";
import { type AssetKind, type AssetRecord, folderOf } from "./kinds.ts";
import { readMeta } from "./meta.ts";
import { type AssetModule, readModule } from "./module.ts";
import { nestingProblem } from "./nesting.ts";
import { parseTypeScript } from "./parser.ts";
import type { Source } from "./source.ts";

/** What a file says of itself before its definition is looked at. */
export interface AssetHead {
  readonly record: AssetRecord;
  /** `META.version`. */
  readonly version: string | undefined;
  /** Where `META.id` stands. */
  readonly idOffset: number;
  readonly module: AssetModule;
}

/**
 * Parse a file and read its `META`; problems are gathered.
 * @throws SourceProblem for a `META` that cannot be read
 */
export function readHead(
  source: Source,
  kind: AssetKind,
  builtin: boolean,
  problems: Problems,
): AssetHead | undefined {
  const { path, text } = source;
  const deep = nestingProblem(text);
  if (deep !== undefined) {
    problems.add(
      "asset_too_deep",
      deep.offset,
      deep.message,
      "flatten the value, or split it over constants",
    );
    return undefined;
  }
  const parsed = parseTypeScript(text);
  if (parsed.problems.length > 0) {
    for (const { offset, message, hint } of parsed.problems) {
      problems.add(
        "asset_syntax",
        offset,
        `failed to parse asset ${path}: ${message}`,
        hint ?? "correct the syntax",
      );
    }
    return undefined;
  }
  const module = readModule(parsed.program);
  const { meta, version, idOffset, offset } = readMeta(module, path);
  if (meta.kind !== kind) {
    problems.add(
      "kind_mismatch",
      offset,
      `asset ${path} has kind ${folderOf(meta.kind)}, expected ${folderOf(kind)}`,
      `move the file to ${folderOf(meta.kind)}/, or set kind: "${kind}"`,
    );
    return undefined;
  }
  const record: AssetRecord = { meta, source_path: path, builtin, source_sha256: source.sha256 };
  return { record, version, idOffset, module };
}
