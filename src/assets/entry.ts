import { realpathSync } from "node:fs";
import { locate, Problems, positionsOf } from "./diagnostics.ts";
import { readHead } from "./head.ts";
import type { IndexEntry } from "./index-file.ts";
import type { AssetKind } from "./kinds.ts";
import { readSource, type Source, sourceOf } from "./source.ts";

/** Read a file of a project for the index: what it is called, not what it defines. */
export function readEntry(path: string, root: string, kind: AssetKind, stamp: string): IndexEntry {
  const result = readSource(path, realRoot(root), { plain: stamp !== "" });
  if ("diagnostic" in result) {
    return { stamp, meta: null, sha256: "", id: 0, diagnostic: result.diagnostic };
  }
  return entryFrom(result.source, kind, false, stamp);
}

/** The same for what the executable carries. */
export function entryOf(path: string, text: string, kind: AssetKind, stamp: string): IndexEntry {
  return entryFrom(sourceOf(path, text), kind, true, stamp);
}

function entryFrom(source: Source, kind: AssetKind, builtin: boolean, stamp: string): IndexEntry {
  const problems = new Problems();
  const head = problems.attempt(() => readHead(source, kind, builtin, problems));
  const [diagnostic] = locate(source.path, source.text, problems.list);
  return {
    stamp,
    meta: head?.record.meta ?? null,
    sha256: source.sha256,
    id: head?.idOffset ?? 0,
    diagnostic: diagnostic ?? null,
  };
}

/** The place of an id that a second file claims: the text is read again, since this is rare. */
export function placeOf(path: string, root: string, offset: number): { line: number; column: number } {
  const result = readSource(path, realRoot(root));
  return "diagnostic" in result ? { line: 1, column: 1 } : positionsOf(result.source.text)(offset);
}

const roots = new Map<string, string>();

function realRoot(root: string): string {
  let real = roots.get(root);
  if (real === undefined) {
    real = realpathSync(root);
    roots.set(root, real);
  }
  return real;
}
