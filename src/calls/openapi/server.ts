import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import type { ReadDocument } from "../resource/read-document.ts";
import { fillVariables } from "../resource/server-variables.ts";

/** The address that an operation's path is appended to. */
export function serverUrl(
  { root, url }: ReadDocument,
  isV2: boolean,
  item: JsonObject,
  operation: JsonObject,
): string {
  const text = isV2 ? swaggerServer(root, operation, url) : openApiServer(root, item, operation);
  const resolved = URL.parse(text, url?.href);
  if (resolved === null || !/^https?:$/.test(resolved.protocol))
    throw callError("configuration", "the document names no server with an HTTP address");
  return resolved.href.replace(/\/$/, "");
}

/** The nearest list counts, and its first server; a variable has its default, as the DSL names no other source. */
function openApiServer(root: JsonObject, item: JsonObject, operation: JsonObject): string {
  for (const servers of [operation["servers"], item["servers"], root["servers"]]) {
    const server = Array.isArray(servers) ? servers[0] : undefined;
    if (!isObject(server) || typeof server["url"] !== "string") continue;
    return fillVariables(server["url"], server["variables"] as Json | undefined);
  }
  return "/";
}

/** TLS where the document offers it; what it leaves out is taken from where it was found. */
function swaggerServer(root: JsonObject, operation: JsonObject, url: URL | undefined): string {
  const listed = operation["schemes"] ?? root["schemes"];
  const schemes = Array.isArray(listed)
    ? listed.filter((scheme) => scheme === "https" || scheme === "http")
    : [];
  const scheme = schemes.includes("https") ? "https" : (schemes[0] ?? url?.protocol.slice(0, -1) ?? "https");
  const host = typeof root["host"] === "string" ? root["host"] : url?.host;
  if (host === undefined || host === "") throw callError("configuration", "the document names no host");
  const path = typeof root["basePath"] === "string" ? root["basePath"] : "";
  return `${scheme}://${host}/${path.replace(/^\//, "")}`;
}
