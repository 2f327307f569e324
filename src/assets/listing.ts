import { constants, lstatSync, readdirSync, realpathSync, type Stats } from "node:fs";
import { join, resolve } from "node:path";
import { BUILTIN_ASSETS, BUILTINS_STAMP } from "../builtins/assets.ts";
import type { AssetDiagnostic } from "./diagnostics.ts";
import { type IndexEntries, type IndexEntry, indexPath, readIndex, writeIndex } from "./index-file.ts";
import { ASSET_KINDS, type AssetKind, type AssetRecord, folderOf } from "./kinds.ts";
import { unreadableFolder } from "./source.ts";

/** What reads a file that the index does not know: loaded only when there is one, for it brings the parser. */
export type EntryReader = Pick<typeof import("./entry.ts"), "readEntry" | "entryOf" | "placeOf">;

interface FoundFile {
  readonly path: string;
  /** Of the name itself; null where the way to it is a link. */
  readonly stat: Stats | null;
}

export interface Listing {
  /** Sorted by id, in byte order. */
  readonly assets: AssetRecord[];
  /** The first problem of each bad file, sorted by path. */
  readonly diagnostics: AssetDiagnostic[];
}

/**
 * A file that was written this shortly before it was read may be written again within the same tick of the file system's
 * clock, and would then look unchanged: it is not remembered. Milliseconds; a tick is at most 10.
 */
const FRESH_MS = 50;

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * What the files of a project are called, from the index where one has not changed: only files that did are read, and the
 * parser is loaded only for them. Their definitions are not looked at (`checkProject` does), and nothing is ever run.
 * @param directory where indexes are kept; what it holds can be removed at any time
 * @param reader loads `entry.ts`
 */
export async function listAssets(
  root: string,
  directory: string,
  kinds: readonly AssetKind[],
  reader: () => Promise<EntryReader>,
): Promise<Listing> {
  let loading: Promise<EntryReader> | undefined;
  const read = () => {
    loading ??= reader();
    return loading;
  };
  const absolute = resolve(root);
  const path = indexPath(directory, absolute);
  const known = readIndex(path);
  const now = Date.now();
  const entries: IndexEntries = {};
  const listed: { kind: AssetKind; path: string; entry: IndexEntry }[] = [];
  const other: AssetDiagnostic[] = [];
  let entryReader: EntryReader | undefined;
  let changed = false;
  for (const kind of ASSET_KINDS) {
    const folder = join(absolute, "lightflow", folderOf(kind));
    if (!kinds.includes(kind)) continue;
    const files = filesIn(absolute, folder);
    if ("diagnostic" in files) {
      other.push(files.diagnostic);
      continue;
    }
    for (const { path: file, stat } of files.plain) {
      const stamp = stampOf(stat);
      const old = known[file];
      if (old !== undefined && stamp !== "" && old.stamp === stamp) {
        entries[file] = old;
        listed.push({ kind, path: file, entry: old });
        continue;
      }
      entryReader ??= await read();
      const entry = entryReader.readEntry(file, absolute, kind, stamp);
      listed.push({ kind, path: file, entry });
      if (stat === null || stamp === "" || now - Math.max(stat.mtimeMs, stat.ctimeMs) <= FRESH_MS) continue;
      entries[file] = entry;
      changed = true;
    }
  }
  // Entries of the kinds that were not asked for stay; of those that were, gone files are forgotten.
  const prefixes = kinds.map((kind) => `${join(absolute, "lightflow", folderOf(kind))}/`);
  for (const [file, entry] of Object.entries(known)) {
    if (!prefixes.some((prefix) => file.startsWith(prefix))) entries[file] ??= entry;
    else if (entries[file] === undefined) changed = true;
  }
  const builtins = await builtinEntries(known, entries, kinds, read);
  if (changed || builtins.changed) writeIndex(path, entries);
  return await gather(absolute, [...listed, ...builtins.listed], other, read);
}

async function gather(
  root: string,
  listed: readonly { path: string; entry: IndexEntry }[],
  diagnostics: AssetDiagnostic[],
  read: () => Promise<EntryReader>,
): Promise<Listing> {
  const byId = new Map<string, AssetRecord>();
  for (const { path, entry } of listed) {
    if (entry.diagnostic !== null) diagnostics.push(entry.diagnostic);
    if (entry.meta === null) continue;
    const builtin = path.startsWith("builtin:");
    const first = byId.get(entry.meta.id);
    if (first === undefined) {
      byId.set(entry.meta.id, { meta: entry.meta, source_path: path, builtin, source_sha256: entry.sha256 });
    } else if (!builtin && entry.diagnostic === null) {
      diagnostics.push({
        code: "id_duplicate",
        severity: "error",
        path,
        ...(await read()).placeOf(path, root, entry.id),
        message: `the id ${entry.meta.id} is taken by ${first.source_path}`,
        hint: "give each asset an id of its own",
      });
    }
  }
  return {
    assets: [...byId.values()].sort((a, b) => order(a.meta.id, b.meta.id)),
    diagnostics: diagnostics.sort((a, b) => order(a.path, b.path)),
  };
}

/** The files of a folder of the project, in byte order. What a link leads to is read each time. */
function filesIn(root: string, folder: string): { plain: FoundFile[] } | { diagnostic: AssetDiagnostic } {
  let names: string[];
  let isPlain: boolean;
  try {
    isPlain = realpathSync(folder) === join(realpathSync(root), folder.slice(root.length));
    names = readdirSync(folder).sort();
  } catch (error) {
    const diagnostic = unreadableFolder(root, folder, error);
    return diagnostic === undefined ? { plain: [] } : { diagnostic };
  }
  const plain: FoundFile[] = [];
  for (const name of names) {
    if (!name.endsWith(".ts") || name.endsWith(".d.ts") || name.endsWith(".test.ts")) continue;
    const path = `${folder}/${name}`;
    const stat = isPlain ? lstatSync(path, { throwIfNoEntry: false }) : null;
    if (stat !== undefined) plain.push({ path, stat });
  }
  return { plain };
}

/** A link has the stamp of nothing: what it leads to may change behind it. */
function stampOf(stat: Stats | null): string {
  if (stat === null || (stat.mode & constants.S_IFMT) !== constants.S_IFREG) return "";
  return `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`;
}

/** What the executable carries, by a stamp of all of it: read once for each build. */
async function builtinEntries(
  known: IndexEntries,
  entries: IndexEntries,
  kinds: readonly AssetKind[],
  read: () => Promise<EntryReader>,
): Promise<{ changed: boolean; listed: { path: string; entry: IndexEntry }[] }> {
  let changed = false;
  const listed: { path: string; entry: IndexEntry }[] = [];
  for (const { kind, name, text } of BUILTIN_ASSETS) {
    const path = `builtin:${folderOf(kind)}/${name}`;
    let entry = known[path];
    if (entry?.stamp !== BUILTINS_STAMP) {
      entry = (await read()).entryOf(path, text, kind, BUILTINS_STAMP);
      changed = true;
    }
    entries[path] = entry;
    if (kinds.includes(kind)) listed.push({ path, entry });
  }
  return { changed, listed };
}
