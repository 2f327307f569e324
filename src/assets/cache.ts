import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { digestOf } from "../base/canonical.ts";
import { type FoundWorkflow, findWorkflow } from "./find.ts";

/** A workflow with the digest of its document, ready to start. */
export interface ReadyWorkflow extends FoundWorkflow {
  readonly digest: string;
}

const KEPT = 64;
const cache = new Map<string, { stamp: string; found: ReadyWorkflow }>();

/**
 * {@link findWorkflow}, remembered while none of the files that it could come from has changed: the same names, inodes,
 * sizes and times to the nanosecond. A change of any workflow file counts, because it may bring the id a second time.
 */
export function readyWorkflow(root: string, id: string): ReadyWorkflow {
  const key = `${resolve(root)}\0${id}`;
  const kept = cache.get(key);
  if (kept !== undefined && kept.stamp === stampOf(root, kept.found)) return kept.found;
  const found = findWorkflow(root, id);
  const ready = { ...found, digest: digestOf(found.document) };
  // A file that is there, but cannot be read yet, changes without a change of names.
  if (ready.issues.length > 0) return ready;
  if (cache.size >= KEPT) cache.delete(cache.keys().next().value!);
  cache.set(key, { stamp: stampOf(root, ready), found: ready });
  return ready;
}

/** What was found in this turn of the event loop. */
let turn: Map<string, ReadyWorkflow> | null = null;

/**
 * {@link readyWorkflow} for a server: all requests of one turn of the event loop share one look at the files, which costs
 * as much as all else in a start. They had arrived before it, so each sees what had been written when it was sent.
 */
export function readyWorkflowOfTurn(root: string, id: string): ReadyWorkflow {
  const key = `${root}\0${id}`;
  const seen = turn?.get(key);
  if (seen !== undefined) return seen;
  const ready = readyWorkflow(root, id);
  if (turn === null) {
    turn = new Map();
    setImmediate(() => {
      turn = null;
    });
  }
  turn.set(key, ready);
  return ready;
}

/** Folders whose change of names may bring a node, composition or model that was missing, or twice. */
const COMPONENT_FOLDERS = ["nodes", "compositions", "models"] as const;

function stampOf(root: string, { definition, components }: FoundWorkflow): string {
  const project = join(root, "lightflow");
  const folder = join(project, "workflows");
  const paths = [folder, ...namesIn(folder).map((name) => join(folder, name))];
  for (const name of COMPONENT_FOLDERS) paths.push(join(project, name));
  for (const { record } of components.values()) if (!record.builtin) paths.push(record.source_path);
  for (const schema of [definition.input_schema, definition.output_schema]) {
    if (typeof schema === "string") paths.push(join(project, schema));
  }
  return paths.map(fileStamp).join("\n");
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function fileStamp(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined
    ? `${path} -`
    : `${path} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
}
