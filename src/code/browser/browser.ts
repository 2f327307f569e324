import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserStart } from "../../base/browser.ts";
import { Downloads } from "./downloads.ts";
import { BrowserError } from "./error.ts";
import { openPage, type Page } from "./page.ts";
import { browserSwitches } from "./switches.ts";

/** `ctx.browser` of a code node; the types for authors stand in the preload. */
export interface Browser {
  open(url?: string, options?: { readonly timeoutMs?: number }): Promise<Page>;
}

export interface OwnBrowser extends Browser {
  /** Rejects when the task has to end whatever its function is doing. */
  readonly failed: Promise<never>;
  /** Ends the program, with all of its processes. */
  close(): void;
}

/**
 * The browser of one task. The program starts with the first page, as this process's child, and is spoken to over a pipe:
 * nothing listens. `Bun.WebView` is the runtime's own client of the protocol, so that none has to be carried along.
 */
export function createBrowser(
  start: BrowserStart,
  env: Readonly<Record<string, string | undefined>>,
): OwnBrowser {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const workspace = env["LIGHTFLOW_WORKSPACE"] ?? process.cwd();
  let downloads: Downloads | undefined;
  let open = 0;
  let started = false;
  return {
    failed: failed.promise,
    async open(url, { timeoutMs = start.timeoutMs } = {}) {
      if (open >= start.pages) {
        throw new BrowserError(
          "browser_limit_exceeded",
          `${open} pages are open, the task may have ${start.pages}: close one first`,
        );
      }
      open += 1;
      downloads ??= new Downloads(mkdtempSync(join(tmpdir(), "downloads-")), workspace, start);
      started = true;
      return await openPage({
        // Less than the task may take, never more.
        start: { ...start, timeoutMs: Math.min(timeoutMs, start.timeoutMs) },
        switches: browserSwitches(env["HTTPS_PROXY"]),
        downloads,
        url,
        onFatal: failed.reject,
        onClosed: () => {
          open -= 1;
        },
      });
    },
    close() {
      if (started) Bun.WebView.closeAll();
    },
  };
}
