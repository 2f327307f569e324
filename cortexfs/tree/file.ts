import { errno } from "../fuse/errno.ts";
import { type Caller, File, type Handle, type Later, type NodeOptions, type OpenOptions } from "./node.ts";

const EMPTY = new Uint8Array(0);
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Values and control words are one line; a request body has its own, larger limit. */
const VALUE_LIMIT = 64 * 1024;

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? Buffer.from(content) : content;

/** A handle on bytes that were fixed when the file was opened, so that a long read sees one state. */
class SnapshotHandle implements Handle {
  readonly #data: Uint8Array;
  constructor(data: Uint8Array) {
    this.#data = data;
  }
  read(offset: number, size: number): Uint8Array {
    return offset >= this.#data.length ? EMPTY : this.#data.subarray(offset, offset + size);
  }
  write(): number {
    throw errno("EBADF");
  }
  flush(): void {}
  fsync(): void {}
  release(): void {}
}

export interface Content {
  /** The text or bytes of the file now. */
  readonly content: () => string | Uint8Array;
  /** Its length in bytes, where that is known without making it. */
  readonly bytes?: () => number;
  /** When it last changed, milliseconds UTC; without it, the time at which a change was first seen. */
  readonly time?: () => number;
}

/** A file that the tree computes; nobody writes it. */
export class ViewFile extends File {
  readonly #view: Content;
  #seen: string | undefined;

  constructor(view: Content, options: Omit<NodeOptions, "mode"> & { mode?: number }) {
    super({ ...options, mode: options.mode ?? 0o444 });
    this.#view = view;
  }

  override size(): number {
    const { bytes, time, content } = this.#view;
    if (time !== undefined) {
      this.mtime = time();
      this.ctime = this.mtime;
    }
    if (bytes !== undefined) return bytes();
    const value = content();
    if (time === undefined && typeof value === "string" && value !== this.#seen) {
      if (this.#seen !== undefined) {
        this.mtime = Date.now();
        this.ctime = this.mtime;
      }
      this.#seen = value;
    }
    return typeof value === "string" ? Buffer.byteLength(value) : value.length;
  }

  override open(options: OpenOptions): Handle {
    if (options.write) throw errno("EROFS");
    return new SnapshotHandle(bytesOf(this.#view.content()));
  }
}

/** A file that only grows, read by position: `tail -f` follows it. */
export class LogFile extends File {
  readonly #source: {
    bytes: () => number;
    time: () => number;
    read: (offset: number, size: number) => Uint8Array;
  };

  constructor(
    source: { bytes: () => number; time: () => number; read: (offset: number, size: number) => Uint8Array },
    options: Omit<NodeOptions, "mode"> & { mode?: number },
  ) {
    super({ ...options, mode: options.mode ?? 0o444 });
    this.#source = source;
  }

  override size(): number {
    this.mtime = this.#source.time();
    this.ctime = this.mtime;
    return this.#source.bytes();
  }

  override open(options: OpenOptions): Handle {
    if (options.write) throw errno("EROFS");
    const { read } = this.#source;
    return {
      read: (offset, size) => read(offset, size),
      write: () => {
        throw errno("EBADF");
      },
      flush() {},
      fsync() {},
      release() {},
    };
  }
}

/** What is written to a value file or a control file between its opening and its closing. */
class Draft {
  bytes: Uint8Array = EMPTY;
  /** Whether a write came since the last time it was taken. */
  dirty = false;
  readonly #limit: number;
  constructor(limit: number) {
    this.#limit = limit;
  }
  write(offset: number, data: Uint8Array): number {
    const end = offset + data.length;
    if (end > this.#limit) throw errno("EFBIG");
    if (end > this.bytes.length) {
      const grown = new Uint8Array(end);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(data, offset);
    this.dirty = true;
    return data.length;
  }
  resize(size: number): void {
    if (size === this.bytes.length) return;
    if (size > this.#limit) throw errno("EFBIG");
    const cut = new Uint8Array(size);
    cut.set(this.bytes.subarray(0, size));
    this.bytes = cut;
    this.dirty = size > 0;
  }
  text(): string {
    try {
      return decoder.decode(this.bytes);
    } catch {
      throw errno("EINVAL");
    }
  }
}

export interface Value {
  readonly get: () => string;
  /** When it was last set. */
  readonly time?: () => number;
  /** Refuse a text that can never be right, so that the writer learns it from `write` itself; throws EINVAL. */
  readonly check?: (text: string) => void;
  /** Take the complete new text; settles when it is durable (or, for a request, answered). */
  readonly set: (text: string, caller: Caller) => Later<void>;
  readonly limit?: number;
}

/**
 * A value that is read and written whole. It is taken when the descriptor is closed after a write: a shell's
 * `echo x > f` closes a duplicate first, with nothing written, and that must not store an empty value. Truncation alone
 * (`: > f`) is taken at the last close.
 */
export class ValueFile extends File {
  readonly #value: Value;

  constructor(value: Value, options: Omit<NodeOptions, "mode"> & { mode?: number }) {
    super({ ...options, mode: options.mode ?? 0o644 });
    this.#value = value;
  }

  override size(): number {
    if (this.#value.time !== undefined) {
      this.mtime = this.#value.time();
      this.ctime = this.mtime;
    }
    return Buffer.byteLength(this.#value.get());
  }

  override truncate(size: number, caller: Caller): Later<void> {
    // By path; an open file is truncated in its draft.
    const bytes = Buffer.from(this.#value.get());
    if (size === bytes.length) return;
    if (size > (this.#value.limit ?? VALUE_LIMIT)) throw errno("EFBIG");
    const cut = new Uint8Array(size);
    cut.set(bytes.subarray(0, size));
    return this.#value.set(Buffer.from(cut).toString(), caller);
  }

  override open(options: OpenOptions, caller: Caller): Handle {
    const value = this.#value;
    if (!options.write) return new SnapshotHandle(Buffer.from(value.get()));
    const draft = new Draft(value.limit ?? VALUE_LIMIT);
    if (!options.truncate) draft.bytes = Buffer.from(value.get());
    let emptied = options.truncate;
    const take = (): Later<void> => {
      if (!draft.dirty) return;
      draft.dirty = false;
      emptied = false;
      return value.set(draft.text(), caller);
    };
    return {
      read: (offset, size) => draft.bytes.subarray(offset, offset + size),
      write: (offset, data) => {
        const taken = draft.write(options.append ? draft.bytes.length : offset, data);
        // Some programs write first and cut the old rest off afterwards: then the text is only known at the close.
        if (value.check !== undefined && (options.truncate || offset + data.length === draft.bytes.length)) {
          try {
            value.check(draft.text());
          } catch (error) {
            draft.dirty = false;
            throw error;
          }
        }
        return taken;
      },
      flush: take,
      fsync() {},
      truncate: (size) => {
        draft.resize(size);
        emptied = size === 0;
      },
      release: () => {
        if (!emptied || draft.bytes.length > 0) return;
        try {
          const done = value.set("", caller);
          if (done instanceof Promise) done.catch(() => {});
        } catch {
          // The descriptor is already closed; nobody can be told.
        }
      },
    };
  }
}

/** A write-only control: the write itself acts. Reading it is refused. */
export class ControlFile extends File {
  readonly #act: (text: string, caller: Caller) => void;

  constructor(
    act: (text: string, caller: Caller) => void,
    options: Omit<NodeOptions, "mode"> & { mode?: number },
  ) {
    super({ ...options, mode: options.mode ?? 0o200 });
    this.#act = act;
  }

  override open(options: OpenOptions, caller: Caller): Handle {
    if (options.read) throw errno("EACCES");
    return {
      read: () => {
        throw errno("EBADF");
      },
      write: (_offset, data) => {
        if (data.length > VALUE_LIMIT) throw errno("EFBIG");
        let text: string;
        try {
          text = decoder.decode(data).trim();
        } catch {
          throw errno("EINVAL");
        }
        if (text !== "") this.#act(text, caller);
        return data.length;
      },
      flush() {},
      fsync() {},
      release() {},
    };
  }

  override truncate(): void {}
}

/** A file whose read waits. The answer is made once for each handle. */
export class WaitFile extends File {
  readonly #wait: (signal: AbortSignal) => Promise<string | Uint8Array>;

  constructor(
    wait: (signal: AbortSignal) => Promise<string | Uint8Array>,
    options: Omit<NodeOptions, "mode">,
  ) {
    super({ ...options, mode: 0o400 });
    this.#wait = wait;
  }

  override open(options: OpenOptions): Handle {
    if (options.write) throw errno("EROFS");
    let data: Uint8Array | undefined;
    return {
      read: (offset, size, signal) => {
        if (data !== undefined) return data.subarray(offset, offset + size);
        return this.#wait(signal()).then((content) => {
          data = bytesOf(content);
          return data.subarray(offset, offset + size);
        });
      },
      write: () => {
        throw errno("EBADF");
      },
      flush() {},
      fsync() {},
      release() {},
    };
  }
}
