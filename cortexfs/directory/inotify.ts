import { read } from "node:fs";
import { cstring, lastErrno, libc, systemFailure } from "../fuse/libc.ts";

const IN_CLOEXEC = 0o2000000;
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ISDIR = 0x40000000;
const MASK = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE;
const EVENT_SIZE = 16;

/** What happened to a name in a watched directory. `overflow` says that events were lost: read everything. */
export type DirectoryEvent =
  | {
      readonly type: "written" | "arrived" | "made" | "gone";
      readonly directory: string;
      readonly name: string;
    }
  | { readonly type: "overflow" };

/**
 * inotify(7) itself, because `fs.watch` cannot say that a file was closed after writing, nor that a name came by a
 * rename: the two facts on which the contract rests.
 */
export class DirectoryWatcher {
  readonly #descriptor: number;
  readonly #paths = new Map<number, string>();
  readonly #watches = new Map<string, number>();
  readonly #emit: (events: readonly DirectoryEvent[]) => void;
  #closed = false;

  /** @param emit called with what one read brought, in its order */
  constructor(emit: (events: readonly DirectoryEvent[]) => void) {
    this.#emit = emit;
    this.#descriptor = libc().inotify_init1(IN_CLOEXEC);
    if (this.#descriptor < 0) systemFailure("inotify_init1", lastErrno());
    this.#read();
  }

  watch(path: string): void {
    if (this.#watches.has(path)) return;
    const watch = libc().inotify_add_watch(this.#descriptor, cstring(path), MASK);
    if (watch < 0) {
      systemFailure(`inotify_add_watch ${path}`, lastErrno(), "raise fs.inotify.max_user_watches");
    }
    this.#paths.set(watch, path);
    this.#watches.set(path, watch);
  }

  close(): void {
    this.#closed = true;
    // The pending read in the thread pool ends with the event that removing a watch produces.
    for (const watch of this.#paths.keys()) libc().inotify_rm_watch(this.#descriptor, watch);
  }

  #read(): void {
    const buffer = Buffer.alloc(64 * 1024);
    read(this.#descriptor, buffer, 0, buffer.length, null, (error, length) => {
      if (this.#closed) return;
      if (error === null) this.#decode(buffer.subarray(0, length));
      this.#read();
    });
  }

  #decode(bytes: Buffer): void {
    const events: DirectoryEvent[] = [];
    for (let at = 0; at + EVENT_SIZE <= bytes.length; ) {
      const watch = bytes.readInt32LE(at);
      const mask = bytes.readUInt32LE(at + 4);
      const length = bytes.readUInt32LE(at + 12);
      const raw = bytes.subarray(at + EVENT_SIZE, at + EVENT_SIZE + length);
      at += EVENT_SIZE + length;
      if (mask & IN_Q_OVERFLOW) {
        events.push({ type: "overflow" });
        continue;
      }
      const directory = this.#paths.get(watch);
      if (directory === undefined) continue;
      if (mask & IN_IGNORED) {
        this.#paths.delete(watch);
        this.#watches.delete(directory);
        continue;
      }
      const end = raw.indexOf(0);
      const name = raw.toString("utf8", 0, end < 0 ? raw.length : end);
      const type = typeOf(mask);
      if (type !== undefined) events.push({ type, directory, name });
    }
    this.#emit(events);
  }
}

function typeOf(mask: number): "written" | "arrived" | "made" | "gone" | undefined {
  if (mask & IN_CLOSE_WRITE) return "written";
  if (mask & IN_MOVED_TO) return "arrived";
  if (mask & IN_CREATE) return mask & IN_ISDIR ? "made" : undefined;
  if (mask & (IN_DELETE | IN_MOVED_FROM)) return "gone";
  return undefined;
}
