import type { BrowserErrorCode } from "../../base/browser.ts";

/** An end of a browser's step that has a name; the function of a node may catch it. */
export class BrowserError extends Error {
  override readonly name = "BrowserError";
  constructor(
    readonly code: BrowserErrorCode,
    message: string,
  ) {
    super(message);
  }
}
