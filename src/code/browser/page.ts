import type { BrowserStart } from "../../base/browser.ts";
import { logConsole } from "./console.ts";
import type { Download, Downloads } from "./downloads.ts";
import { BrowserError } from "./error.ts";
import { type DocumentResponse, hearPage } from "./events.ts";

export interface Page {
  readonly url: string;
  readonly title: string;
  goto(url: string): Promise<{ readonly status: number | null; readonly url: string }>;
  evaluate<Value = unknown>(
    code: string | ((...given: never[]) => unknown),
    ...given: unknown[]
  ): Promise<Value>;
  text(selector: string): Promise<string | null>;
  html(): Promise<string>;
  waitFor(selector: string): Promise<void>;
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  press(key: string): Promise<void>;
  screenshot(options?: { readonly fullPage?: boolean }): Promise<Uint8Array>;
  pdf(options?: { readonly landscape?: boolean }): Promise<Uint8Array>;
  download(trigger: () => unknown): Promise<Download>;
  cdp<Value = unknown>(method: string, parameters?: Record<string, unknown>): Promise<Value>;
  on(event: string, listener: (parameters: unknown) => void): void;
  close(): Promise<void>;
}

export interface PageOptions {
  readonly start: BrowserStart;
  readonly switches: readonly string[];
  readonly downloads: Downloads;
  readonly url: string | undefined;
  /** The task cannot go on. */
  readonly onFatal: (error: BrowserError) => void;
  readonly onClosed: () => void;
}

/** How long a browser that seems to be gone may take to say that it is not. */
const GONE_MS = 2_000;

/** Higher pictures are cut off: Chromium draws no more. */
const HIGHEST_PIXELS = 16_384;

/** @throws BrowserError as its first step does */
export async function openPage(options: PageOptions): Promise<Page> {
  const page = new BrowserPage(options);
  try {
    await page.begin();
    if (options.url !== undefined) await page.goto(options.url);
    return page;
  } catch (error) {
    await page.close();
    throw error;
  }
}

/** A page takes its steps one after the other: the protocol's client has room for one of a kind. */
class BrowserPage implements Page {
  readonly #options: PageOptions;
  readonly #view: Bun.WebView;
  /** Rejects once the page is gone. */
  readonly #gone = Promise.withResolvers<never>();
  #lost: Error | null = null;
  #tail: Promise<unknown> = Promise.resolve();
  #frame = "";
  #response: DocumentResponse | null = null;

  constructor(options: PageOptions) {
    this.#options = options;
    this.#gone.promise.catch(() => {});
    const { executable, width, height, verbose = false } = options.start;
    try {
      this.#view = new Bun.WebView({
        width,
        height,
        console: (type, ...given) => logConsole(type, given),
        backend: {
          type: "chrome",
          // Never one that already runs.
          url: false,
          path: executable,
          argv: [...options.switches],
          stderr: verbose ? "inherit" : "ignore",
        },
      });
    } catch (error) {
      options.onClosed();
      throw new BrowserError("browser_crashed", `the browser does not start: ${(error as Error).message}`);
    }
  }

  get url(): string {
    return this.#view.url;
  }

  get title(): string {
    return this.#view.title;
  }

  async begin(): Promise<void> {
    const view = this.#view;
    hearPage(view, {
      downloads: this.#options.downloads,
      onFatal: this.#options.onFatal,
      onCrash: () => this.#lose(new BrowserError("browser_crashed", `the page ${this.url} crashed`)),
      onDocument: (frame, response) => {
        if (frame === this.#frame) this.#response = response;
      },
    });
    await this.#step("a new page", async () => {
      await view.navigate("about:blank");
      await view.cdp("Page.enable");
      await view.cdp("Inspector.enable");
      await view.cdp("Network.enable");
      const { frameTree } = await view.cdp<{ frameTree: { frame: { id: string } } }>("Page.getFrameTree");
      this.#frame = frameTree.frame.id;
      await view.cdp("Browser.setDownloadBehavior", {
        behavior: "allowAndName",
        downloadPath: this.#options.downloads.temporary,
        eventsEnabled: true,
      });
    });
  }

  #lose(error: Error): void {
    if (this.#lost !== null) return;
    this.#lost = error;
    this.#gone.reject(error);
    this.#view.close();
    this.#options.onClosed();
  }

  /** One step, after those before it, within its time. A page that does not answer is closed. */
  #step<Value>(what: string, work: () => Promise<Value>): Promise<Value> {
    const taken = this.#tail.then(async () => {
      if (this.#lost !== null) throw this.#lost;
      const { timeoutMs } = this.#options.start;
      const timer = setTimeout(
        () =>
          this.#lose(
            new BrowserError(
              "browser_timeout",
              `${what} did not end within ${timeoutMs / 1000} s; the page is closed`,
            ),
          ),
        timeoutMs,
      );
      try {
        return await Promise.race([work(), this.#gone.promise]);
      } catch (error) {
        throw await this.#named(error, what);
      } finally {
        clearTimeout(timer);
      }
    });
    this.#tail = taken.catch(() => {});
    return taken;
  }

  /** A page writes the words of its own errors: it is the browser that tells whether there still is one. */
  async #isGone(): Promise<boolean> {
    const answered = (async () => void (await this.#view.cdp("Browser.getVersion")))().then(
      () => false,
      () => true,
    );
    return await Promise.race([answered, Bun.sleep(GONE_MS).then(() => true)]);
  }

  async #named(error: unknown, what: string): Promise<unknown> {
    if (this.#lost !== null) return this.#lost;
    if (!(error instanceof Error)) return error;
    if (/Chrome process|closed the pipe|view is closed/.test(error.message) && (await this.#isGone())) {
      const crashed = new BrowserError(
        "browser_crashed",
        `the browser ended during ${what}: ${error.message}`,
      );
      this.#lose(crashed);
      return crashed;
    }
    if (error instanceof BrowserError) return error;
    // The runtime tells where it waited, never what the page was.
    return new Error(`${what}: ${error.message}`, { cause: error });
  }

  async goto(url: string) {
    await this.#step(url, async () => {
      this.#response = null;
      try {
        await this.#view.navigate(url);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith("net::"))) throw error;
        throw new BrowserError("browser_navigation_failed", `${url}: ${error.message}`);
      }
    });
    const { status = null, headers = {} } = this.#response ?? {};
    // What the proxy says in the place of a server that the task may not reach, or that is not there.
    if (headers["Proxy-Status"] === "lightflow-egress") {
      throw new BrowserError(
        "browser_navigation_failed",
        `${url}: the runner's proxy answers ${status}: ${await this.text("body")}`,
      );
    }
    return { status, url: this.#view.url };
  }

  evaluate<Value = unknown>(code: string | ((...given: never[]) => unknown), ...given: unknown[]) {
    const expression =
      typeof code === "string"
        ? code
        : `(${code})(${given.map((each) => JSON.stringify(each) ?? "undefined").join(",")})`;
    return this.#step("evaluate", () => this.#view.evaluate<Value>(expression));
  }

  text(selector: string): Promise<string | null> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? null`);
  }

  html(): Promise<string> {
    return this.evaluate("'<!DOCTYPE html>\\n' + document.documentElement.outerHTML");
  }

  async waitFor(selector: string): Promise<void> {
    const code = `new Promise((found) => {
      const look = () => document.querySelector(${JSON.stringify(selector)}) === null ? setTimeout(look, 20) : found(true);
      look();
    })`;
    await this.#step(`waiting for ${selector}`, () => this.#view.evaluate(code));
  }

  click(selector: string): Promise<void> {
    return this.#step(`a click on ${selector}`, () =>
      this.#view.click(selector, { timeout: this.#options.start.timeoutMs }),
    );
  }

  async fill(selector: string, text: string): Promise<void> {
    const found = await this.evaluate(`(() => {
      const field = document.querySelector(${JSON.stringify(selector)});
      field?.focus();
      field?.select?.();
      return field !== null;
    })()`);
    if (found !== true) throw new Error(`the page has no ${selector} to fill`);
    await this.#step(`typing into ${selector}`, () => this.#view.type(text));
  }

  press(key: string): Promise<void> {
    return this.#step(`the key ${key}`, () => this.#view.press(key));
  }

  async screenshot({ fullPage = false }: { readonly fullPage?: boolean } = {}): Promise<Uint8Array> {
    return await this.#step("a screenshot", async () => {
      const view = this.#view;
      if (!fullPage) return new Uint8Array(await view.screenshot({ encoding: "buffer" }));
      const { cssContentSize } = await view.cdp<{ cssContentSize: { width: number; height: number } }>(
        "Page.getLayoutMetrics",
      );
      const clip = {
        x: 0,
        y: 0,
        scale: 1,
        width: Math.min(Math.ceil(cssContentSize.width), HIGHEST_PIXELS),
        height: Math.min(Math.ceil(cssContentSize.height), HIGHEST_PIXELS),
      };
      const { data } = await view.cdp<{ data: string }>("Page.captureScreenshot", {
        format: "png",
        captureBeyondViewport: true,
        clip,
      });
      return new Uint8Array(Buffer.from(data, "base64"));
    });
  }

  async pdf({ landscape = false }: { readonly landscape?: boolean } = {}): Promise<Uint8Array> {
    const { data } = await this.cdp<{ data: string }>("Page.printToPDF", {
      landscape,
      printBackground: true,
    });
    return new Uint8Array(Buffer.from(data, "base64"));
  }

  async download(trigger: () => unknown): Promise<Download> {
    const { timeoutMs } = this.#options.start;
    const { file, forget } = this.#options.downloads.next();
    const timeout = Promise.withResolvers<never>();
    timeout.promise.catch(() => {});
    const timer = setTimeout(
      () =>
        timeout.reject(
          new BrowserError("browser_timeout", `no download was complete within ${timeoutMs / 1000} s`),
        ),
      timeoutMs,
    );
    try {
      try {
        await trigger();
      } catch (error) {
        // An address that is a file is a navigation that does not take place.
        if (!(error instanceof BrowserError && error.message.endsWith("net::ERR_ABORTED"))) throw error;
      }
      return await Promise.race([file, timeout.promise, this.#gone.promise]);
    } finally {
      clearTimeout(timer);
      forget();
    }
  }

  cdp<Value = unknown>(method: string, parameters: Record<string, unknown> = {}): Promise<Value> {
    return this.#step(method, () => this.#view.cdp<Value>(method, parameters));
  }

  on(event: string, listener: (parameters: unknown) => void): void {
    this.#view.addEventListener<unknown>(event as `${string}.${string}`, ({ data }) => listener(data));
  }

  async close(): Promise<void> {
    this.#lose(new Error("the page is closed"));
  }
}
