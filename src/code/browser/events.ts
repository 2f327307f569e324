import { logLine } from "./console.ts";
import type { DownloadBegin, DownloadProgress, Downloads } from "./downloads.ts";
import { BrowserError } from "./error.ts";

/** The answer to a document, as the protocol's domain Network tells it. */
export interface DocumentResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PageEvents {
  readonly downloads: Downloads;
  /** The task cannot go on. */
  readonly onFatal: (error: BrowserError) => void;
  readonly onCrash: () => void;
  readonly onDocument: (frame: string, response: DocumentResponse) => void;
}

/** Hear what happens in a page beside the steps that are asked of it. Its domains are enabled by the page. */
export function hearPage(view: Bun.WebView, { downloads, onFatal, onCrash, onDocument }: PageEvents): void {
  const on = <Data>(event: `${string}.${string}`, listener: (data: Data) => void) =>
    view.addEventListener<Data>(event, ({ data }) => listener(data));
  // A page that is closed meanwhile throws where others reject.
  const ask = async (method: string, parameters: Record<string, unknown>): Promise<void> => {
    try {
      await view.cdp(method, parameters);
    } catch {
      // Then there is nothing left to ask it of.
    }
  };
  on("Inspector.targetCrashed", onCrash);
  on<{ type: string; message: string }>("Page.javascriptDialogOpening", ({ type, message }) => {
    logLine("dialog", `${type} dismissed: ${message}`);
    // A page that asks whether it may be left is left.
    void ask("Page.handleJavaScriptDialog", { accept: type === "beforeunload" });
  });
  on<{ url: string }>("Page.windowOpen", ({ url }) => logLine("popup", `refused: ${url}`));
  on<{ exceptionDetails: { exception?: { description?: string }; text: string } }>(
    "Runtime.exceptionThrown",
    ({ exceptionDetails: { exception, text } }) => logLine("error", exception?.description ?? text),
  );
  on<{ type: string; frameId?: string; response: DocumentResponse }>(
    "Network.responseReceived",
    ({ type, frameId, response }) => {
      if (type === "Document" && frameId !== undefined) onDocument(frameId, response);
    },
  );
  on<DownloadBegin>("Browser.downloadWillBegin", (data) => downloads.begin(data));
  on<DownloadProgress>("Browser.downloadProgress", (data) => {
    try {
      downloads.progress(data);
    } catch (error) {
      void ask("Browser.cancelDownload", { guid: data.guid });
      const isOurs = error instanceof BrowserError;
      onFatal(
        isOurs ? error : new BrowserError("browser_limit_exceeded", `a download cannot be kept: ${error}`),
      );
    }
  });
}
