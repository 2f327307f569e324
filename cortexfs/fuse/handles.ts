import type { Directory, File, Handle } from "../tree/node.ts";
import type { Dirents } from "./dirents.ts";
import { errno } from "./errno.ts";

/** Open files of one mount: far above what programs use, far below what would fill the memory. */
const MAX_HANDLES = 65_536;

export interface OpenFile {
  readonly node: File;
  readonly handle: Handle;
}

export interface OpenDirectory {
  readonly node: Directory;
  readonly dirents: Dirents;
}

/** What is open, by the number that the kernel names in each message. Numbers are given again after a release. */
export class Handles {
  readonly #slots: (OpenFile | OpenDirectory | undefined)[] = [undefined];
  readonly #free: number[] = [];

  get count(): number {
    return this.#slots.length - 1 - this.#free.length;
  }

  /** Whether one more fits; asked before something is made only to be opened. */
  get isFull(): boolean {
    return this.count >= MAX_HANDLES;
  }

  keep(open: OpenFile | OpenDirectory): number {
    const index = this.#free.pop();
    if (index !== undefined) {
      this.#slots[index] = open;
      return index;
    }
    if (this.isFull) {
      if ("handle" in open) open.handle.release();
      throw errno("ENFILE");
    }
    return this.#slots.push(open) - 1;
  }

  file(index: number): OpenFile {
    const open = this.#slots[index];
    if (open === undefined || !("handle" in open)) throw errno("EBADF");
    return open;
  }

  /** The open file of a number, or undefined where the kernel may name none. */
  fileIfOpen(index: number): OpenFile | undefined {
    const open = this.#slots[index];
    return open !== undefined && "handle" in open ? open : undefined;
  }

  directory(index: number): OpenDirectory {
    const open = this.#slots[index];
    if (open === undefined || !("dirents" in open)) throw errno("EBADF");
    return open;
  }

  release(index: number): void {
    const open = this.#slots[index];
    if (open === undefined) throw errno("EBADF");
    this.#slots[index] = undefined;
    this.#free.push(index);
    if ("handle" in open) open.handle.release();
  }
}
