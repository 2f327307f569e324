import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { sha256 } from "../base/canonical.ts";
import { LIMITS } from "../base/limits.ts";
import { type AssetDiagnostic, type DiagnosticCode, located } from "./diagnostics.ts";

export interface Source {
  /** Shown in records and diagnostics. */
  readonly path: string;
  /** Without a byte order mark. */
  readonly text: string;
  readonly sha256: string;
}

/** A file as text, or why it is not one. */
export type SourceResult = { readonly source: Source } | { readonly diagnostic: AssetDiagnostic };

const refuse = (path: string, code: DiagnosticCode, message: string, hint: string): SourceResult => ({
  diagnostic: located(code, path, message, hint),
});

/** Without `stream` it keeps nothing from one text to the next. */
const decoder = new TextDecoder("utf-8", { fatal: true });

const outside = (path: string): SourceResult =>
  refuse(
    path,
    "asset_outside_project",
    "the file is a link that leads out of the project",
    "copy the file into the project",
  );

/** Whether a real path is `root` or below it. Both must be free of links. */
export function isBelow(real: string, root: string): boolean {
  return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
}

export interface ReadOptions {
  /** The caller knows that the directory is inside `root` and that the name is no link. */
  readonly plain?: boolean;
}

/**
 * Read an asset file below `root` (a real path). A link that leads out of the project, a file that is not a plain
 * one, more than `LIMITS.assetFileBytes`, and text that is not UTF-8 are refused.
 */
export function readSource(path: string, root: string, options: ReadOptions = {}): SourceResult {
  let bytes: Uint8Array;
  try {
    const real = options.plain === true ? path : realpathSync(path);
    if (options.plain !== true && !isBelow(real, root)) return outside(path);
    // The checked path is opened, without following a link put there since; a FIFO does not block.
    const fd = openSync(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile())
        return refuse(path, "asset_unreadable", "this is not a plain file", "remove it from here");
      if (stat.size > LIMITS.assetFileBytes) {
        return refuse(
          path,
          "asset_too_large",
          `the file has ${stat.size} bytes; the limit is ${LIMITS.assetFileBytes}`,
          "keep data out of assets: reference it as an input or an artifact",
        );
      }
      const buffer = Buffer.allocUnsafe(stat.size);
      let length = 0;
      while (length < buffer.length) {
        const read = readSync(fd, buffer, length, buffer.length - length, null);
        if (read === 0) break;
        length += read;
      }
      bytes = buffer.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refuse(
      path,
      "asset_unreadable",
      `asset I/O error: ${reason}`,
      "check that the file exists and may be read",
    );
  }
  try {
    return {
      source: { path, text: decoder.decode(bytes), sha256: sha256(bytes) },
    };
  } catch {
    return refuse(path, "asset_not_utf8", "the file is not UTF-8 text", "save the file as UTF-8");
  }
}

/** Text that did not come from a file, such as an asset that the executable carries. */
export function sourceOf(path: string, text: string): Source {
  return { path, text, sha256: sha256(text) };
}

/**
 * The diagnostic of a folder of the project that cannot be read; `undefined` where there is none, also because
 * `lightflow` is a file: in many places it is the executable itself.
 */
export function unreadableFolder(root: string, folder: string, error: unknown): AssetDiagnostic | undefined {
  const { code } = error as NodeJS.ErrnoException;
  const project = statSync(join(root, "lightflow"), { throwIfNoEntry: false });
  if (code === "ENOENT" || project?.isFile()) return undefined;
  const message = `asset I/O error: ${error instanceof Error ? error.message : String(error)}`;
  const hint = code === "ENOTDIR" ? "make it a directory" : "check that the directory may be read";
  return located("asset_unreadable", folder, message, hint);
}
