import { type Dirent, readdirSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { BUILTIN_ASSETS } from "../builtins/index.ts";
import { type Asset, type FindPlace, readAsset } from "./asset.ts";
import { type AssetDiagnostic, positionsOf } from "./diagnostics.ts";
import { ASSET_KINDS, type AssetKind, type AssetRecord, folderOf } from "./kinds.ts";
import { isBelow, readSource, type SourceResult, sourceOf, unreadableFolder } from "./source.ts";

export interface Discovery {
  /** Sorted by id, in byte order. */
  readonly assets: AssetRecord[];
  /** The first problem of each bad file, sorted by path. */
  readonly diagnostics: AssetDiagnostic[];
}

export interface DiscoverOptions {
  /** Only these kinds. */
  readonly kinds?: readonly AssetKind[];
}

/**
 * The assets of the project at `root` (its `lightflow/{models,nodes,compositions,workflows}/*.ts`) and those that
 * the executable carries. Files are parsed and never run. A bad file gives one diagnostic and hides no other; a
 * missing folder is an empty one; of two files with one id the later by path is a diagnostic, and a project's asset
 * stands in for a built-in one.
 */
export function discoverAssets(root: string, options: DiscoverOptions = {}): Discovery {
  const { assets, diagnostics } = readAssets(root, options.kinds ?? ASSET_KINDS);
  const files = new Set<string>();
  return {
    assets: assets.map(({ record }) => record),
    // A file's diagnostics come in the order of the text, so the first met is the first of the file.
    diagnostics: diagnostics.filter(
      ({ path, severity }) => severity === "error" && !files.has(path) && files.add(path),
    ),
  };
}

export interface ReadAssets {
  /** Sorted by id, in byte order. */
  readonly assets: Asset[];
  /** Every problem of every file, sorted by path. */
  readonly diagnostics: AssetDiagnostic[];
  /** By id; only for {@link readAssets} with `naming`, because it keeps syntax trees. */
  readonly places: ReadonlyMap<string, FindPlace>;
}

/**
 * Assets in full.
 * @param naming only of files whose text holds one of these; `all` keeps the places of every file
 */
export function readAssets(
  root: string,
  kinds: readonly AssetKind[],
  naming?: readonly string[] | "all",
): ReadAssets {
  const names = (text: string) =>
    naming === undefined || naming === "all" || naming.some((name) => text.includes(name));
  const absolute = resolve(root);
  const places = new Map<string, FindPlace>();
  const diagnostics: AssetDiagnostic[] = [];
  const byId = new Map<string, Asset>();
  for (const kind of kinds) {
    for (const result of sourcesOf(absolute, kind)) {
      if ("diagnostic" in result) {
        diagnostics.push(result.diagnostic);
        continue;
      }
      if (!names(result.source.text)) continue;
      const read = readAsset(result.source, kind, false);
      diagnostics.push(...read.diagnostics);
      if (read.asset === undefined) continue;
      const { id } = read.asset.record.meta;
      const first = byId.get(id);
      if (first === undefined) {
        byId.set(id, read.asset);
        if (naming !== undefined && read.place !== undefined) places.set(id, read.place);
      } else diagnostics.push(duplicate(read.asset, first, result.source.text));
    }
  }
  for (const { kind, name, text } of BUILTIN_ASSETS) {
    if (!kinds.includes(kind) || !names(text)) continue;
    const read = readAsset(sourceOf(`builtin:${folderOf(kind)}/${name}`, text), kind, true);
    diagnostics.push(...read.diagnostics);
    if (read.asset !== undefined && !byId.has(read.asset.record.meta.id)) {
      byId.set(read.asset.record.meta.id, read.asset);
    }
  }
  return {
    assets: [...byId.values()].sort((a, b) => order(a.record.meta.id, b.record.meta.id)),
    diagnostics: diagnostics.sort((a, b) => order(a.path, b.path)),
    places,
  };
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function* sourcesOf(root: string, kind: AssetKind): Generator<SourceResult> {
  const directory = join(root, "lightflow", folderOf(kind));
  let entries: Dirent[];
  let realRoot: string;
  let inside: boolean;
  try {
    realRoot = realpathSync(root);
    inside = isBelow(realpathSync(directory), realRoot);
    entries = readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    const diagnostic = unreadableFolder(root, directory, error);
    if (diagnostic !== undefined) yield { diagnostic };
    return;
  }
  for (const entry of entries.sort((a, b) => order(a.name, b.name))) {
    const { name } = entry;
    if (!name.endsWith(".ts") || name.endsWith(".d.ts") || name.endsWith(".test.ts")) continue;
    yield readSource(join(directory, name), realRoot, { plain: inside && entry.isFile() });
  }
}

function duplicate(asset: Asset, first: Asset, text: string): AssetDiagnostic {
  return {
    code: "id_duplicate",
    severity: "error",
    path: asset.record.source_path,
    ...positionsOf(text)(asset.idOffset),
    message: `the id ${asset.record.meta.id} is taken by ${first.record.source_path}`,
    hint: "give each asset an id of its own",
  };
}
