import { existsSync, realpathSync, statSync } from "node:fs";
import { extname, join, sep } from "node:path";
import { fail } from "../base/errors.ts";
import { pathOf } from "../base/http.ts";

/** Only what the folder holds runs in the page, and it talks to this server alone. */
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
  "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/** Names that hold a digest of their content, as bundlers write them. */
const HASHED = /[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

/**
 * The client of the project, if it has one: the files of `LightFlowUI/dist` at `/` and `/LightFlowUI/`. A path without an
 * extension is one of the page's own and gets the page.
 * @returns null where there is no such folder or the request is not for a file
 * @throws Failure `forbidden` for what leads out of the folder, `not_found`
 */
export function staticResponse(root: string, request: Request): Response | null {
  const folder = join(root, "LightFlowUI", "dist");
  if ((request.method !== "GET" && request.method !== "HEAD") || !existsSync(folder)) return null;
  const asked = pathOf(request).replace(/^\/LightFlowUI(?=\/|$)/, "");
  let path: string;
  try {
    path = decodeURIComponent(asked);
  } catch {
    throw fail("invalid_request", "the path is not valid");
  }
  if (path.includes("\0") || path.includes("\\") || path.split("/").some((part) => part === "..")) {
    throw fail("forbidden", "the path leads out of the folder");
  }
  const page = path === "" || path === "/" || extname(path) === "";
  const wanted = join(folder, page ? "index.html" : path);
  if (statSync(wanted, { throwIfNoEntry: false })?.isFile() !== true) {
    throw fail("not_found", page ? "LightFlowUI dist/index.html not found" : `not found: ${path}`);
  }
  // A link in the folder may lead anywhere.
  if (!realpathSync(wanted).startsWith(realpathSync(folder) + sep)) {
    throw fail("forbidden", "the path leads out of the folder");
  }
  return new Response(Bun.file(wanted), {
    headers: {
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": page
        ? "no-store, max-age=0"
        : HASHED.test(path)
          ? "public, max-age=31536000, immutable"
          : "no-cache",
    },
  });
}
