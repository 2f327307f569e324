import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join, relative } from "node:path";
import type { Log } from "../../src/base/log.ts";
import { Errno } from "../fuse/errno.ts";
import { ControlFile, LogFile, ValueFile } from "../tree/file.ts";
import { ExchangeDirectory } from "../tree/inbox.ts";
import { MemoryDirectory, MemoryFile } from "../tree/memory.ts";
import { type Caller, Directory, File, type Node } from "../tree/node.ts";
import { affectedBy } from "./affected.ts";
import { contentOf, lastWrites, readIfFile, sameAs, statIfThere } from "./disk.ts";
import { type DirectoryEvent, DirectoryWatcher } from "./inotify.ts";
import { WORKSHOP, Workshop } from "./workshop.ts";

const PUT_BACK_MS = 150;

interface Mirrored {
  readonly node: Node;
  /** Size and time of the node when it was last written out. */
  signature: string;
  bytes: number;
  /** What was written to a value or control file: other bytes on the disk are a user's, not yet taken. */
  content: Uint8Array | undefined;
}

/**
 * The tree as a plain directory. Every file of it is written out, and what users do in the directory is done to the
 * tree: a rename to `<id>.req.json` commits, a closed value file is taken, `mkdir`, `rmdir` and `rm` act on what they
 * name. What the tree refuses is undone on the disk. The owner of a file stands for the caller; the pid is not known.
 */
export class DirectoryProjection {
  readonly #root: Directory;
  readonly #path: string;
  readonly #owner: Caller;
  readonly #log: Log;
  readonly #workshop: Workshop;
  readonly #watcher: DirectoryWatcher;
  readonly #mirrored = new Map<string, Mirrored>();
  readonly #directories = new Map<string, Directory>();
  readonly #dirty = new Set<string>();
  /** Files that stood in a new directory before it was watched, until they were taken. */
  readonly #adopting = new Set<string>();
  /** Files whose new content the tree refused: the old one comes back. */
  readonly #refused = new Map<string, Uint8Array | undefined>();
  /** Files that their user removed and that the tree will put back. */
  readonly #missing = new Set<string>();
  #last: Promise<void> = Promise.resolve();
  #started = false;
  #scheduled = false;
  #serial = 0;

  constructor(root: Directory, path: string, owner: Caller, log: Log) {
    this.#root = root;
    this.#path = path;
    this.#owner = owner;
    this.#log = log;
    this.#workshop = new Workshop(path);
    this.#watcher = new DirectoryWatcher((events) => {
      for (const event of lastWrites(events)) this.#event(event);
    });
  }

  /** Write the whole tree out, then take what was committed while nobody served. */
  async start(): Promise<void> {
    this.#mirror(this.#root, "");
    for (const [path, directory] of this.#directories) {
      if (!(directory instanceof ExchangeDirectory)) continue;
      for (const name of readdirSync(join(this.#path, path))) {
        if (name.endsWith(".req.json") && directory.lookup(name, this.#owner) === undefined) {
          await this.#commit(directory, path, name);
        }
      }
    }
    this.#started = true;
  }

  close(): void {
    this.#watcher.close();
  }

  /** Something below a path of the tree has changed; written out within a few milliseconds. */
  changed(path: string): void {
    this.#dirty.add(path);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      const paths = [...this.#dirty];
      this.#dirty.clear();
      try {
        this.#sync(paths);
      } catch (error) {
        // A directory that is being removed right now; the next change brings the rest up to date.
        if ((error as NodeJS.ErrnoException).code === "ENOENT") {
          this.changed("");
          return;
        }
        this.#log.error("the directory could not be brought up to date", { error: String(error) });
      }
    }, 2);
  }

  #sync(paths: readonly string[]): void {
    for (const target of affectedBy(paths) ?? [""]) {
      const node = this.#resolve(target);
      if (node instanceof Directory) this.#mirror(node, target);
      else {
        // A tool of an MCP server has its surface's name elsewhere in the tree.
        this.#mirror(this.#root, "");
        return;
      }
    }
  }

  #resolve(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split("/")) {
      if (name === "") continue;
      if (!(node instanceof Directory)) return undefined;
      node = node.lookup(name, this.#owner);
    }
    return node;
  }

  // From the tree to the disk

  #mirror(directory: Directory, path: string) {
    const place = join(this.#path, path);
    if (!existsSync(place)) {
      // A directory that was there was removed by its user; the event that says so is on its way.
      if (this.#directories.has(path)) return;
      mkdirSync(place, { mode: 0o755 });
    }
    if (!this.#directories.has(path)) {
      // A directory that only its owner enters in the tree is closed on the disk too.
      chmodSync(place, (directory.mode & 0o077) === 0 ? 0o700 : 0o755 | (directory.mode & 0o1000));
      this.#directories.set(path, directory);
      // Ordinary files need no help: the disk is the better place for them.
      if (directory instanceof MemoryDirectory) return;
      this.#watcher.watch(place);
      if (this.#started) this.#adopt(path);
    }
    if (directory instanceof MemoryDirectory) return;
    this.#directories.set(path, directory);
    const names = new Set<string>();
    for (const { name } of directory.list(this.#owner)) {
      const node = directory.lookup(name, this.#owner);
      if (node === undefined || node instanceof MemoryFile) continue;
      names.add(name);
      const child = path === "" ? name : `${path}/${name}`;
      if (node instanceof Directory) this.#mirror(node, child);
      else if (node instanceof File && !this.#adopting.has(child)) this.#write(node, child);
    }
    this.#removeGone(path, names);
  }

  /** Take what a user wrote into a new directory between its `mkdir` and the first watch, in the order of writing. */
  #adopt(path: string): void {
    const found = readdirSync(join(this.#path, path))
      .map((name) => ({ name, info: lstatSync(join(this.#path, path, name)) }))
      .filter(({ info }) => info.isFile())
      .sort((a, b) => a.info.mtimeMs - b.info.mtimeMs);
    if (found.length === 0) return;
    for (const { name } of found) this.#adopting.add(`${path}/${name}`);
    const take = async (): Promise<void> => {
      for (const { name } of found) {
        const child = `${path}/${name}`;
        this.#adopting.delete(child);
        const place = join(this.#path, path);
        this.#event({ type: "arrived", directory: place, name });
        await this.#last;
      }
      this.changed("");
    };
    take().catch((error: unknown) =>
      this.#log.error("a directory could not be taken", { path, error: String(error) }),
    );
  }

  #removeGone(path: string, names: ReadonlySet<string>): void {
    const prefix = path === "" ? "" : `${path}/`;
    for (const known of [...this.#mirrored.keys(), ...this.#directories.keys()]) {
      if (!known.startsWith(prefix) || known === path) continue;
      const name = known.slice(prefix.length).split("/", 1)[0]!;
      if (names.has(name) || name === "") continue;
      this.#mirrored.delete(known);
      this.#directories.delete(known);
      rmSync(join(this.#path, prefix + name), { recursive: true, force: true });
    }
  }

  #write(node: File, path: string) {
    const place = join(this.#path, path);
    if (this.#missing.has(path)) return;
    const known = this.#mirrored.get(path);
    const size = node.size();
    const signature =
      node instanceof ValueFile || node instanceof ControlFile ? "" : `${node.ino}/${size}/${node.mtime}`;
    if (known !== undefined && known.node === node && signature !== "" && known.signature === signature)
      return;
    if (node instanceof LogFile && known?.node === node) {
      if (size > known.bytes) {
        appendFileSync(place, contentOf(node, this.#owner, known.bytes, size - known.bytes));
        known.bytes = size;
      }
      known.signature = signature;
      return;
    }
    const current = readIfFile(place);
    if (current === undefined && known !== undefined) {
      // Its user removed it; perhaps the directory is next.
      this.#mirrored.delete(path);
      this.#putBackLater(path);
      return;
    }
    if (signature === "" && this.#started && current !== undefined) {
      // Times are too coarse to tell who wrote last, so the bytes decide; the event of the closing will bring them.
      const settled = this.#refused.get(path) ?? known?.content;
      this.#refused.delete(path);
      if (settled === undefined || Buffer.compare(current, settled) !== 0) return;
    }
    const bytes = node instanceof ControlFile ? new Uint8Array(0) : contentOf(node, this.#owner, 0, size);
    if (current === undefined || Buffer.compare(current, bytes) !== 0) {
      const made = this.#workshop.bring(place, bytes, node.mode & 0o777, current === undefined);
      // A user was faster with a file of this name; its closing will bring an event.
      if (!made) return;
    }
    this.#remember(path, node, signature, bytes);
  }

  #remember(path: string, node: Node, signature: string, bytes: Uint8Array): void {
    const content = signature === "" ? bytes : undefined;
    this.#mirrored.set(path, { node, signature, bytes: bytes.length, content });
  }

  /** `rm -r` removes the files of a directory before the directory: wait a moment before they are put back. */
  #putBackLater(path: string): void {
    this.#missing.add(path);
    setTimeout(() => {
      this.#missing.delete(path);
      this.changed("");
    }, PUT_BACK_MS);
  }

  // From the disk to the tree

  #event(event: DirectoryEvent) {
    if (event.type === "overflow") return this.changed("");
    const path = relative(this.#path, event.directory);
    const directory = this.#directories.get(path);
    if (directory === undefined || event.name === WORKSHOP) return;
    const child = path === "" ? event.name : `${path}/${event.name}`;
    this.#last = this.#take(event, directory, path, child).catch((error: unknown) => {
      if (!(error instanceof Errno))
        this.#log.error("a change could not be taken", { path: child, error: String(error) });
      // What the tree refused is undone.
      this.#mirrored.delete(child);
      this.#refused.set(child, readIfFile(join(this.#path, child)));
      this.changed("");
    });
  }

  async #take(
    event: Exclude<DirectoryEvent, { type: "overflow" }>,
    directory: Directory,
    path: string,
    child: string,
  ): Promise<void> {
    const { name, type } = event;
    const place = join(this.#path, child);
    if (type === "gone") {
      if (!existsSync(place)) await this.#gone(directory, name, child);
      return;
    }
    const info = statIfThere(place);
    if (info === undefined) return;
    const caller: Caller = { uid: info.uid, gid: info.gid, pid: 0 };
    if (info.isDirectory()) {
      if (directory.lookup(name, this.#owner) !== undefined) return;
      await directory.mkdir(name, 0o755, caller);
      this.changed("");
      return;
    }
    if (directory instanceof ExchangeDirectory) {
      if (type === "arrived" && name.endsWith(".req.json")) await this.#commit(directory, path, name);
      return;
    }
    const node = directory.lookup(name, caller);
    if (!(node instanceof File)) return;
    const bytes = readFileSync(place);
    if (node instanceof ControlFile ? bytes.length === 0 : sameAs(node, bytes, caller)) return;
    if (!(node instanceof ValueFile) && !(node instanceof ControlFile)) {
      // A log may have grown between the two looks.
      if (node instanceof LogFile && sameAs(node, bytes, caller, bytes.length)) return;
      throw new Errno("EROFS");
    }
    this.#remember(child, node, "", bytes);
    const handle = node.open({ read: false, write: true, append: false, truncate: true }, caller);
    try {
      if (bytes.length > 0) handle.write(0, bytes);
      await handle.flush();
    } finally {
      handle.release();
    }
    if (node instanceof ControlFile) this.#workshop.bring(place, new Uint8Array(0), 0o200);
    this.changed("");
  }

  async #gone(directory: Directory, name: string, child: string): Promise<void> {
    const known = this.#mirrored.get(child);
    const node = directory.lookup(name, this.#owner);
    if (node === undefined || node instanceof MemoryFile) return;
    if (node instanceof Directory) {
      for (const path of [...this.#mirrored.keys()])
        if (path.startsWith(`${child}/`)) this.#mirrored.delete(path);
      for (const path of [...this.#directories.keys()]) {
        if (path === child || path.startsWith(`${child}/`)) this.#directories.delete(path);
      }
      await directory.rmdir(name, this.#owner);
    } else {
      if (known === undefined) return;
      this.#mirrored.delete(child);
      if (!(directory instanceof ExchangeDirectory)) {
        this.#putBackLater(child);
        return;
      }
      await directory.unlink(name, this.#owner);
    }
    this.changed("");
  }

  /** A request came to its name. What the exchange refuses goes back to the staged name, with the reason beside it. */
  async #commit(directory: ExchangeDirectory, path: string, name: string): Promise<void> {
    const place = join(this.#path, path, name);
    const id = name.slice(0, -".req.json".length);
    const info = lstatSync(place);
    if (!info.isFile()) return;
    const caller: Caller = { uid: info.uid, gid: info.gid, pid: 0 };
    const body = readFileSync(place);
    const staged = `.directory-${++this.#serial}`;
    try {
      const file = directory.create(staged, 0o600, caller);
      const handle = file.open({ read: false, write: true, append: false, truncate: false });
      try {
        handle.write(0, body);
      } finally {
        handle.release();
      }
      // On the disk the answer of an earlier attempt must not be taken for this one's.
      await directory.rename(staged, directory, name, true, caller);
      const node = directory.lookup(name, caller);
      if (node !== undefined)
        this.#remember(`${path}/${name}`, node, `${node.ino}/${node.size()}/${node.mtime}`, body);
      this.changed(path.replace(/\/(inbox|invoke\/inbox)$/, ""));
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      await Promise.resolve(
        directory.lookup(staged, caller) === undefined ? undefined : directory.unlink(staged, caller),
      );
      renameSync(place, join(this.#path, path, `${id}.tmp`));
      const outbox =
        path.endsWith("/inbox") && existsSync(join(this.#path, path, "..", "outbox"))
          ? join(path, "..", "outbox")
          : path;
      const refused = join(this.#path, outbox, `${id}.error`);
      const pending = directory.lookup(name, caller) !== undefined;
      if (!pending) {
        this.#workshop.bring(
          refused,
          Buffer.from(`${JSON.stringify({ request_id: id, error: error.name, code: error.name })}\n`),
          0o444,
        );
      }
      this.#mirrored.delete(`${path}/${name}`);
      this.changed("");
    }
  }
}
