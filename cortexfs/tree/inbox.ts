import type { Engine } from "../exchange/engine.ts";
import { FilePart, type FilePartName, isPending } from "../exchange/requests.ts";
import type { RequestRow } from "../exchange/store/store.ts";
import { errno } from "../fuse/errno.ts";
import type { Place } from "./build.ts";
import { LogFile, ViewFile, WaitFile } from "./file.ts";
import { MemoryFile, Quota } from "./memory.ts";
import { type Caller, Directory, type Entry, type Node } from "./node.ts";

/** The largest request body: far above a long conversation, far below what would fill the memory. */
const REQUEST_LIMIT = 16 << 20;
/** All staged files of one inbox together. */
const STAGED_LIMIT = 256 << 20;
const KEPT_NODES = 4096;

/** The names of a request's files, in the order in which they are written out: the one that clients wait for is last. */
const SUFFIX: readonly (readonly [FilePartName, string])[] = [
  ["request", ".req.json"],
  ["fingerprint", ".fingerprint"],
  ["route", ".route.json"],
  ["stream", ".stream.jsonl"],
  ["result", ".resp.json"],
  ["result", ".error"],
];
const WAIT_SUFFIX = ".wait";

export interface ExchangePlace extends Place {
  readonly surface: string;
  /** The uid whose requests these are; the caller's own where the directory is shared by all. */
  readonly home: number | undefined;
  readonly parts: "inbox" | "outbox" | "both";
}

interface Found {
  readonly row: RequestRow;
  readonly part: FilePartName;
  readonly suffix: string;
}

/**
 * An inbox, an outbox, or both in one. Staged files are ordinary files; the rename to `<id>.req.json` commits; outcomes
 * appear whole. Only the rename starts anything.
 */
export class ExchangeDirectory extends Directory {
  readonly #place: ExchangePlace;
  readonly #engine: Engine;
  readonly #staged = new Map<string, { node: MemoryFile; uid: number }>();
  readonly #nodes = new Map<string, Node>();
  readonly #quota = new Quota(STAGED_LIMIT, REQUEST_LIMIT);
  #stagedTime: number;

  constructor(place: ExchangePlace) {
    const writable = place.parts !== "outbox";
    super({
      ...place.owner,
      mode: place.home === undefined && writable ? 0o777 : 0o755,
      time: place.started,
    });
    this.#place = place;
    this.#engine = place.engine;
    this.#stagedTime = place.started;
  }

  #uid(caller: Caller): number {
    return this.#place.home ?? caller.uid;
  }

  #rows(caller: Caller): ReadonlyMap<string, RequestRow> {
    return this.#engine.requests.surface(this.#uid(caller), this.#place.surface).rows;
  }

  override size(): number {
    const { home, surface, owner } = this.#place;
    const time = this.#engine.requests.surface(home ?? owner.uid, surface).time;
    this.mtime = Math.max(this.#stagedTime, time);
    this.ctime = this.mtime;
    return 0;
  }

  #shows(row: RequestRow, part: FilePartName, suffix: string): boolean {
    const inbox = part === "request";
    if (this.#place.parts !== "both" && inbox !== (this.#place.parts === "inbox")) return false;
    if ((row.hidden & FilePart[part]) !== 0) return false;
    switch (suffix) {
      case ".route.json":
        return row.route !== null;
      case ".resp.json":
        return row.state === "done";
      case ".error":
        return row.state === "failed" || row.state === "cancelled";
      case ".stream.jsonl":
        return row.streamBytes > 0 || this.#engine.requests.live(row) !== undefined;
      default:
        return true;
    }
  }

  #find(name: string, caller: Caller): Found | undefined {
    const rows = this.#rows(caller);
    for (const [part, suffix] of SUFFIX) {
      if (!name.endsWith(suffix)) continue;
      const row = rows.get(name.slice(0, -suffix.length));
      if (row !== undefined && this.#shows(row, part, suffix)) return { row, part, suffix };
    }
    return undefined;
  }

  override lookup(name: string, caller: Caller): Node | undefined {
    const staged = this.#staged.get(this.#stagedKey(name, caller));
    if (staged !== undefined) return staged.node;
    const found = this.#find(name, caller);
    if (found !== undefined) return this.#node(found);
    if (!name.endsWith(WAIT_SUFFIX) || this.#place.parts === "inbox") return undefined;
    // Not listed, so that `grep -r` does not wait for every model.
    const row = this.#rows(caller).get(name.slice(0, -WAIT_SUFFIX.length));
    return row === undefined ? undefined : this.#waitFile(row);
  }

  /** In a shared directory two callers may stage the same name; each sees the own one. */
  #stagedKey(name: string, caller: Caller): string {
    return this.#place.home === undefined ? `${caller.uid}/${name}` : name;
  }

  override list(caller: Caller): Entry[] {
    const entries: Entry[] = [];
    for (const [key, { node, uid }] of this.#staged) {
      if (this.#place.home === undefined && uid !== caller.uid) continue;
      const name = this.#place.home === undefined ? key.slice(key.indexOf("/") + 1) : key;
      entries.push({ name, type: "file", ino: node.ino });
    }
    for (const row of this.#rows(caller).values()) {
      for (const [part, suffix] of SUFFIX) {
        if (this.#shows(row, part, suffix)) entries.push({ name: row.id + suffix, type: "file", ino: 0 });
      }
    }
    return entries;
  }

  override create(name: string, mode: number, caller: Caller): MemoryFile {
    if (this.#place.parts === "outbox") throw errno("EROFS");
    if (name.endsWith(".resp.json") || name.endsWith(".error")) throw errno("EINVAL");
    if (this.lookup(name, caller) !== undefined) throw errno("EEXIST");
    const node = new MemoryFile(this.#quota, {
      mode: mode & 0o666,
      uid: caller.uid,
      gid: caller.gid,
      time: Date.now(),
    });
    this.#staged.set(this.#stagedKey(name, caller), { node, uid: caller.uid });
    this.#stagedTime = node.mtime;
    this.#engine.audit.add({ event: "staged", ...caller, name, surface: this.#place.surface });
    return node;
  }

  override unlink(name: string, caller: Caller): Promise<void> | undefined {
    const key = this.#stagedKey(name, caller);
    const staged = this.#staged.get(key);
    if (staged !== undefined) {
      this.#staged.delete(key);
      staged.node.removed();
      this.#stagedTime = Date.now();
      return undefined;
    }
    const found = this.#find(name, caller);
    if (found === undefined) throw errno("ENOENT");
    return this.#engine.removeFile(found.row, found.part, caller);
  }

  override rename(
    name: string,
    to: Directory,
    newName: string,
    replace: boolean,
    caller: Caller,
  ): Promise<void> {
    if (to !== this) throw errno("EXDEV");
    const key = this.#stagedKey(name, caller);
    const staged = this.#staged.get(key);
    if (staged === undefined) throw errno(this.lookup(name, caller) === undefined ? "ENOENT" : "EROFS");
    const id = newName.endsWith(".req.json") ? newName.slice(0, -".req.json".length) : "";
    if (!isRequestId(id)) throw errno("EINVAL");
    const existing = this.#rows(caller).get(id);
    if (!replace && existing !== undefined) throw errno("EEXIST");
    // The body is copied: a descriptor that is still open must not change what was committed.
    const body = staged.node.bytes().slice();
    const committed = this.#engine.commit(caller, this.#uid(caller), this.#place.surface, id, body);
    // From here on the name is the commit's; if the disk refuses it the staged file comes back.
    this.#staged.delete(key);
    return committed.then(
      () => staged.node.removed(),
      (error: unknown) => {
        this.#staged.set(key, staged);
        throw error;
      },
    );
  }

  #node(found: Found): Node {
    const { row, part, suffix } = found;
    const key = `${row.uid}/${row.id}/${row.attempt}${suffix}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const { store, requests } = this.#engine;
    const options = { uid: row.uid, gid: row.gid, time: row.created };
    const finished = (): number => row.finished ?? row.created;
    let node: Node;
    if (suffix === ".stream.jsonl") {
      const bytes = (): Uint8Array => requests.live(row)?.bytes() ?? store.stream(row);
      node = new LogFile(
        {
          bytes: () => requests.live(row)?.bytes().length ?? row.streamBytes,
          time: () => requests.live(row)?.time || finished(),
          read: (offset, size) => bytes().subarray(offset, offset + size),
        },
        options,
      );
    } else {
      const content = {
        request: () => store.body(row),
        fingerprint: () => `${row.fingerprint}\n`,
        route: () => `${row.route ?? ""}\n`,
        result: () => store.result(row),
        stream: () => "",
      }[part];
      const bytes = {
        request: () => row.bodyBytes,
        fingerprint: () => row.fingerprint.length + 1,
        route: () => Buffer.byteLength(row.route ?? "") + 1,
        result: () => row.resultBytes,
        stream: () => 0,
      }[part];
      const time = part === "result" || part === "route" ? finished : () => row.created;
      node = new ViewFile({ content, bytes, time }, { ...options, mode: 0o444 });
    }
    if (this.#nodes.size >= KEPT_NODES) {
      for (const [old, kept] of this.#nodes) if (kept.lookups === 0) this.#nodes.delete(old);
    }
    this.#nodes.set(key, node);
    return node;
  }

  #waitFile(row: RequestRow): Node {
    const key = `${row.uid}/${row.id}/${row.attempt}${WAIT_SUFFIX}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const { store, requests } = this.#engine;
    const node = new WaitFile(
      (signal) =>
        requests.outcome(row, signal).then(
          () => store.result(row),
          () => {
            throw errno("EINTR");
          },
        ),
      { uid: row.uid, gid: row.gid, time: row.created },
    );
    this.#nodes.set(key, node);
    return node;
  }

  /** Whether requests of this directory still wait or run. */
  isBusy(caller: Caller): boolean {
    return [...this.#rows(caller).values()].some(isPending);
  }
}

/** A request id is a file name whose other endings are taken. */
function isRequestId(id: string): boolean {
  if (id === "" || id === "." || id === ".." || Buffer.byteLength(id) > 200) return false;
  return ![".resp.json", ".error", ".req.json", ".tmp"].some((suffix) => id.endsWith(suffix));
}
