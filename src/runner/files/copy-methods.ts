import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toFailure } from "../../base/errors.ts";
import { runTool } from "./copy.ts";
import { inNamespace, openOverlay } from "./overlay.ts";
import { removeTree } from "./trees.ts";

export interface CopyMethods {
  readonly overlay: boolean;
  readonly reflink: boolean;
  /** What was found, in words. */
  readonly overlayDetail: string;
  readonly reflinkDetail: string;
}

/** How the names of its directories begin; one that a crash left goes at the next start. */
export const COPY_TRIAL = "copy-trial-";

/**
 * How files of this directory can be copied, by doing it: an overlay has to show what lies below, take a change and keep
 * it from there; a reflink has to give the same bytes.
 */
export async function probeCopyMethods(dataDirectory: string): Promise<CopyMethods> {
  const trial = mkdtempSync(join(dataDirectory, COPY_TRIAL));
  try {
    const place = (name: string) => join(trial, name);
    for (const name of ["lower", "upper", "work", "target"]) mkdirSync(place(name));
    writeFileSync(place("lower/file"), "before");
    writeFileSync(place("lower/removed"), "before");
    const reflinked = await runTool(["cp", "--reflink=always", place("lower/file"), place("reflinked")]);
    const reflink = reflinked === null && readFileSync(place("reflinked"), "utf8") === "before";
    const overlay = await tryOverlay(trial).catch((error) => toFailure(error).message);
    return {
      overlay: overlay === null,
      reflink,
      overlayDetail: overlay ?? "a layer over a directory takes changes and keeps them from it",
      reflinkDetail: reflink ? "copies share their blocks" : (reflinked ?? "a copy had other bytes"),
    };
  } finally {
    await removeTree(trial);
  }
}

/** @returns what is wrong with it, or null */
async function tryOverlay(trial: string): Promise<string | null> {
  const place = (name: string) => join(trial, name);
  const overlay = await openOverlay({
    lower: place("lower"),
    upper: place("upper"),
    work: place("work"),
    target: place("target"),
  });
  try {
    const seen = (name: string) => join(overlay.view, name);
    if (readFileSync(seen("file"), "utf8") !== "before") return "a layer does not show what lies below it";
    writeFileSync(seen("file"), "after");
    await removeTree(seen("removed"));
    if (readFileSync(seen("file"), "utf8") !== "after" || existsSync(seen("removed")))
      return "a layer does not take changes";
    if (readFileSync(place("lower/file"), "utf8") !== "before" || !existsSync(place("lower/removed")))
      return "a layer lets changes through";
    if (existsSync(place("target/file"))) return "a layer is seen by the whole host";
    return await runTool([
      ...inNamespace(overlay.namespace),
      "/bin/sh",
      "-c",
      'test -e "$1"',
      "sh",
      place("target/file"),
    ]);
  } finally {
    await overlay.close();
  }
}

const known = new Map<string, Promise<CopyMethods>>();

/** What {@link probeCopyMethods} found the first time that a task of this runner needed it. */
export function copyMethods(dataDirectory: string): Promise<CopyMethods> {
  let found = known.get(dataDirectory);
  if (found === undefined) {
    found = probeCopyMethods(dataDirectory);
    known.set(dataDirectory, found);
    // Tried again by the next one.
    found.catch(() => known.delete(dataDirectory));
  }
  return found;
}
