import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { BrowserLimits } from "../../base/browser.ts";
import { BrowserError } from "./error.ts";

/** A file that a page handed out. */
export interface Download {
  readonly url: string;
  /** As the server called it, reduced to a plain file name. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

interface Running {
  readonly url: string;
  readonly name: string;
  received: number;
}

export interface DownloadBegin {
  readonly guid: string;
  readonly url: string;
  readonly suggestedFilename: string;
}
export interface DownloadProgress {
  readonly guid: string;
  readonly totalBytes: number;
  readonly receivedBytes: number;
  readonly state: "inProgress" | "completed" | "canceled";
}

/**
 * The files that pages of one browser hand out. The browser writes them under names of its own into a temporary directory,
 * whose size the kernel bounds whatever a page sends between two reports; complete ones go into `downloads/` of the workspace.
 */
export class Downloads {
  readonly #limits: BrowserLimits;
  readonly #target: string;
  readonly #running = new Map<string, Running>();
  readonly #ended = new Set<string>();
  readonly #waiting: PromiseWithResolvers<Download>[] = [];
  #complete = 0;

  constructor(
    readonly temporary: string,
    workspace: string,
    limits: BrowserLimits,
  ) {
    this.#limits = limits;
    this.#target = join(workspace, "downloads");
  }

  /** The next file that is complete. */
  next(): { readonly file: Promise<Download>; readonly forget: () => void } {
    const waiting = Promise.withResolvers<Download>();
    waiting.promise.catch(() => {});
    this.#waiting.push(waiting);
    const forget = () => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
    return { file: waiting.promise, forget };
  }

  /** Each page tells of the same downloads: the second telling changes nothing. */
  begin({ guid, url, suggestedFilename }: DownloadBegin): void {
    if (this.#running.has(guid) || this.#ended.has(guid)) return;
    const name = basename(suggestedFilename)
      .replaceAll(/[^\w. -]/g, "_")
      .replace(/^[. ]+/, "")
      .slice(0, 128);
    this.#running.set(guid, { url, name: name === "" ? "download" : name, received: 0 });
  }

  /** @throws BrowserError `browser_limit_exceeded`: the download has to be cancelled */
  progress({ guid, totalBytes, receivedBytes, state }: DownloadProgress): void {
    const running = this.#running.get(guid);
    if (running === undefined) return;
    running.received = Math.max(receivedBytes, state === "canceled" ? 0 : totalBytes);
    if (state === "inProgress" || state === "completed") this.#check(running);
    if (state === "inProgress") return;
    this.#running.delete(guid);
    this.#ended.add(guid);
    if (state === "canceled") {
      this.#waiting
        .shift()
        ?.reject(new BrowserError("browser_navigation_failed", `the download of ${running.url} broke off`));
      return;
    }
    this.#complete += receivedBytes;
    const path = this.#place(guid, running.name);
    this.#waiting.shift()?.resolve({ url: running.url, name: running.name, path, bytes: receivedBytes });
  }

  #check({ url }: Running): void {
    const { downloadBytes } = this.#limits;
    const all = [...this.#running.values()].reduce((sum, each) => sum + each.received, this.#complete);
    if (all <= downloadBytes) return;
    throw new BrowserError(
      "browser_limit_exceeded",
      `downloads come to ${all} bytes with ${url}, the task may take ${downloadBytes}`,
    );
  }

  #place(guid: string, name: string): string {
    mkdirSync(this.#target, { recursive: true });
    let path = join(this.#target, name);
    for (let count = 2; existsSync(path); count += 1) path = join(this.#target, `${count}-${name}`);
    const made = join(this.temporary, guid);
    copyFileSync(made, path);
    rmSync(made, { force: true });
    return path;
  }
}
