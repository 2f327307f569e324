import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { readEndpoint } from "../http/arguments.ts";
import { type ReadDocument, readDocument } from "../resource/read-document.ts";

/** Where a server says what it is: the name since A2A 0.3, and the one before. */
const WELL_KNOWN = ["/.well-known/agent-card.json", "/.well-known/agent.json"];

/** The address that an agent takes JSON-RPC at, by its card. An address without a path is a server to look at. */
export async function agentAddress(resource: Json | undefined, scope: CallScope): Promise<URL> {
  const { root, url } = await readCard(resource, scope);
  for (const candidate of interfaces(root)) {
    const address = URL.parse(candidate, url?.href);
    if (address !== null && /^https?:$/.test(address.protocol)) return address;
  }
  throw callError("configuration", "the agent card names no address for JSON-RPC");
}

async function readCard(resource: Json | undefined, scope: CallScope): Promise<ReadDocument> {
  const given = isObject(resource) ? (resource["endpoint"] as Json) : undefined;
  const endpoint = readEndpoint(given, "agentCard.endpoint");
  const url = URL.parse(endpoint.uri);
  if (url === null || url.pathname !== "/" || url.search !== "")
    return await readDocument({ endpoint: given ?? null }, "agent card", scope);
  let failure: unknown;
  for (const path of WELL_KNOWN) {
    try {
      const uri = new URL(path, url).href;
      return await readDocument({ endpoint: { ...endpoint, uri } }, "agent card", scope);
    } catch (error) {
      failure ??= error;
      if (scope.signal.aborted) break;
    }
  }
  throw failure;
}

/** The card's own address where that speaks JSON-RPC, then its further interfaces (A2A 0.3, 5.5; 1.0, 4.4). */
function* interfaces(card: JsonObject): Generator<string> {
  const preferred = card["preferredTransport"] ?? "JSONRPC";
  if (typeof card["url"] === "string" && isJsonRpc(preferred)) yield card["url"];
  for (const list of [card["additionalInterfaces"], card["supportedInterfaces"]])
    for (const item of Array.isArray(list) ? list : [])
      if (isObject(item) && typeof item["url"] === "string")
        if (isJsonRpc((item["transport"] ?? item["protocolBinding"]) as Json)) yield item["url"];
}

function isJsonRpc(name: Json | undefined): boolean {
  return typeof name === "string" && name.toUpperCase() === "JSONRPC";
}
