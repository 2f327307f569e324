import { lstatSync, readFileSync, type Stats } from "node:fs";
import type { Caller, File } from "../tree/node.ts";
import type { DirectoryEvent } from "./inotify.ts";

const never = (): AbortSignal => new AbortController().signal;

/** The bytes that a file of the tree holds now. */
export function contentOf(node: File, caller: Caller, offset: number, size: number): Uint8Array {
  const handle = node.open({ read: true, write: false, append: false, truncate: false }, caller);
  try {
    const bytes = handle.read(offset, size, never);
    // Only `wait` files answer later, and they are never listed.
    return bytes instanceof Promise ? new Uint8Array(0) : bytes;
  } finally {
    handle.release();
  }
}

/**
 * Of several writes of one file that came together only the last counts: an earlier event would already see the later
 * bytes, and take a request before the value that was written in between.
 */
export function lastWrites(events: readonly DirectoryEvent[]): DirectoryEvent[] {
  const writes = new Map<string, number>();
  for (const [index, event] of events.entries()) {
    if (event.type === "written" || event.type === "arrived")
      writes.set(`${event.directory}/${event.name}`, index);
  }
  return events.filter(
    (event, index) =>
      (event.type !== "written" && event.type !== "arrived") ||
      writes.get(`${event.directory}/${event.name}`) === index,
  );
}

export function sameAs(node: File, bytes: Uint8Array, caller: Caller, size = node.size()): boolean {
  return Buffer.compare(bytes, contentOf(node, caller, 0, size)) === 0;
}

export function statIfThere(place: string): Stats | undefined {
  try {
    return lstatSync(place);
  } catch {
    return undefined;
  }
}

export function readIfFile(place: string): Buffer | undefined {
  const info = statIfThere(place);
  return info?.isFile() ? readFileSync(place) : undefined;
}
