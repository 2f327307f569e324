import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { sha256 } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { BUILTIN_ASSETS } from "../builtins/index.ts";
import type { FoundWorkflow } from "./find.ts";
import { folderOf } from "./kinds.ts";

export interface CodeSource {
  readonly sha256: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * The files of the nodes whose own code a workflow runs, byte for byte as they were read.
 * @throws Failure `conflict` for one that was changed since
 */
export function codeSources({ plan, components }: Pick<FoundWorkflow, "plan" | "components">): CodeSource[] {
  const sources = new Map<string, CodeSource>();
  for (const { target, sourceId, source } of plan.steps) {
    const record = components.get(sourceId)?.record;
    if (target.kind !== "code" || record === undefined || sources.has(source)) continue;
    const path = record.source_path;
    const builtin = BUILTIN_ASSETS.find(({ kind, name }) => path === `builtin:${folderOf(kind)}/${name}`);
    const bytes =
      record.builtin && builtin !== undefined
        ? Buffer.from(builtin.text)
        : new Uint8Array(readFileSync(path));
    if (sha256(bytes) !== source) {
      throw fail("conflict", `${path} was changed while the run was being started`, {
        hint: "start it again",
      });
    }
    sources.set(source, { sha256: source, name: basename(path), bytes });
  }
  return [...sources.values()];
}
