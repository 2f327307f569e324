import { closeSync, fdatasync, fsyncSync, openSync, read, write } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { makePrivateDirectory, syncDirectory } from "../base/files.ts";

const writeAt = promisify(write);
const readAt = promisify(read);
const syncData = promisify(fdatasync);

/**
 * Log output of leases, one append file a stream. A chunk is written at the position that the store gives it and
 * fsynced before the store notes it: what the store knows is on disk, and a repeat overwrites the same bytes.
 */
export class Spool {
  readonly #directory: string;
  readonly #open = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
    makePrivateDirectory(directory);
  }

  path(leaseId: string, stream: string): string {
    return join(this.#directory, leaseId, stream);
  }

  async write(leaseId: string, stream: string, position: number, bytes: Uint8Array): Promise<void> {
    const fd = this.#descriptor(leaseId, stream);
    for (let done = 0; done < bytes.length; ) {
      done += (await writeAt(fd, bytes, done, bytes.length - done, position + done)).bytesWritten;
    }
    await syncData(fd);
  }

  async read(leaseId: string, stream: string, position: number, size: number): Promise<Uint8Array> {
    const fd = openSync(this.path(leaseId, stream), "r");
    try {
      const bytes = new Uint8Array(size);
      let done = 0;
      while (done < size) {
        const { bytesRead } = await readAt(fd, bytes, done, size - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    } finally {
      closeSync(fd);
    }
  }

  /** Forget the open files of a lease. */
  finish(leaseId: string): void {
    for (const stream of ["stdout", "stderr"]) {
      const key = `${leaseId}/${stream}`;
      const fd = this.#open.get(key);
      if (fd !== undefined) closeSync(fd);
      this.#open.delete(key);
    }
  }

  /** Remove the output of a lease, or of one of its streams (`lease/stream`), for good. */
  async remove(target: string): Promise<void> {
    await rm(join(this.#directory, target), { recursive: true, force: true });
  }

  close(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #descriptor(leaseId: string, stream: string): number {
    const key = `${leaseId}/${stream}`;
    let fd = this.#open.get(key);
    if (fd === undefined) {
      makePrivateDirectory(join(this.#directory, leaseId));
      fd = openSync(this.path(leaseId, stream), "a+", 0o600);
      closeSync(fd);
      // Not in append mode: positions are the store's.
      fd = openSync(this.path(leaseId, stream), "r+");
      fsyncSync(fd);
      syncDirectory(join(this.#directory, leaseId));
      syncDirectory(this.#directory);
      this.#open.set(key, fd);
    }
    return fd;
  }
}
