import { linkSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The directory, below that of the projection, in which files are made. */
export const WORKSHOP = ".cortexfs";

/** Where files are made, so that a rename brings them to their place whole. */
export class Workshop {
  readonly #path: string;
  #serial = 0;

  /** What an earlier process had begun is removed. */
  constructor(projection: string) {
    this.#path = join(projection, WORKSHOP);
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#path)) rmSync(join(this.#path, name), { force: true });
  }

  /** Bring bytes to a place whole. A file that is new there never replaces another: false says that one came first. */
  bring(place: string, bytes: Uint8Array, mode: number, isNew = false): boolean {
    const temporary = join(this.#path, `${process.pid}-${++this.#serial}`);
    writeFileSync(temporary, bytes, { mode });
    if (!isNew) {
      renameSync(temporary, place);
      return true;
    }
    try {
      linkSync(temporary, place);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      return false;
    } finally {
      rmSync(temporary);
    }
  }
}
