import { errno } from "../fuse/errno.ts";
import { type Caller, Directory, type Entry, type Later, type Node, type NodeOptions } from "./node.ts";

/** A directory whose names never change during a mount. */
export class FixedDirectory extends Directory {
  readonly #children: ReadonlyMap<string, Node>;

  constructor(children: Readonly<Record<string, Node>>, options: NodeOptions) {
    super(options);
    this.#children = new Map(Object.entries(children).sort(([a], [b]) => (a < b ? -1 : 1)));
    this.fixed = true;
    for (const child of this.#children.values()) if (child instanceof Directory) this.links++;
  }

  override listVersion(): number {
    return 0;
  }

  override lookup(name: string): Node | undefined {
    return this.#children.get(name);
  }

  override list(): Entry[] {
    return [...this.#children].map(([name, node]) => ({ name, type: node.type, ino: node.ino }));
  }
}

export interface Names {
  /** The names as this caller sees them, in the order of the listing. */
  readonly names: (caller: Caller) => readonly string[];
  readonly type?: (name: string) => Entry["type"];
  /** Make the node of a name, or undefined when there is none. It is kept as long as the name exists. */
  readonly make: (name: string, caller: Caller) => Node | undefined;
  /** Whether the name still stands; without it `names` is asked. Includes names that are not listed. */
  readonly has?: (name: string, caller: Caller) => boolean;
  /** Nodes belong to one uid: another uid gets its own node of the same name. */
  readonly private?: boolean;
  readonly time?: () => number;
  readonly mkdir?: (name: string, caller: Caller) => Later<void>;
  readonly rmdir?: (name: string, caller: Caller) => Later<void>;
  readonly unlink?: (name: string, caller: Caller) => Later<void>;
}

/** Nodes that the kernel no longer holds are let go above this many. */
const KEPT_NODES = 4096;

/** A directory whose names come from elsewhere. Nodes are made at first look-up and keep their number. */
export class LiveDirectory extends Directory {
  protected readonly source: Names;
  readonly #nodes = new Map<string, Node>();

  constructor(source: Names, options: NodeOptions) {
    super(options);
    this.source = source;
  }

  override size(): number {
    if (this.source.time !== undefined) {
      this.mtime = this.source.time();
      this.ctime = this.mtime;
    }
    return 0;
  }

  override lookup(name: string, caller: Caller): Node | undefined {
    const key = this.source.private ? `${caller.uid}/${name}` : name;
    const exists =
      this.source.has === undefined
        ? this.source.names(caller).includes(name)
        : this.source.has(name, caller);
    const known = this.#nodes.get(key);
    if (!exists) {
      if (known !== undefined) this.#nodes.delete(key);
      return undefined;
    }
    if (known !== undefined) return known;
    const made = this.source.make(name, caller);
    if (made === undefined) return undefined;
    if (this.#nodes.size >= KEPT_NODES) this.#letGo();
    this.#nodes.set(key, made);
    return made;
  }

  override list(caller: Caller): Entry[] {
    const type = this.source.type ?? (() => "file" as const);
    return this.source.names(caller).map((name) => ({
      name,
      type: type(name),
      ino: this.#nodes.get(this.source.private ? `${caller.uid}/${name}` : name)?.ino ?? 0,
    }));
  }

  override mkdir(name: string, _mode: number, caller: Caller): Later<Directory> {
    if (this.lookup(name, caller) !== undefined) throw errno("EEXIST");
    if (this.source.mkdir === undefined) throw errno("EROFS");
    const made = this.source.mkdir(name, caller);
    const find = (): Directory => {
      const node = this.lookup(name, caller);
      if (!(node instanceof Directory)) throw errno("EIO");
      return node;
    };
    return made instanceof Promise ? made.then(find) : find();
  }

  override rmdir(name: string, caller: Caller): Later<void> {
    const node = this.lookup(name, caller);
    if (node === undefined) throw errno("ENOENT");
    if (!(node instanceof Directory)) throw errno("ENOTDIR");
    if (this.source.rmdir === undefined) throw errno("EROFS");
    return this.source.rmdir(name, caller);
  }

  override unlink(name: string, caller: Caller): Later<void> {
    const node = this.lookup(name, caller);
    if (node === undefined) throw errno("ENOENT");
    if (node instanceof Directory) throw errno("EISDIR");
    if (this.source.unlink === undefined) throw errno("EROFS");
    return this.source.unlink(name, caller);
  }

  /** Forget the node of a name, so that the next look-up makes a new one. */
  drop(name: string): void {
    this.#nodes.delete(name);
  }

  #letGo(): void {
    for (const [key, node] of this.#nodes) if (node.lookups === 0) this.#nodes.delete(key);
  }
}
