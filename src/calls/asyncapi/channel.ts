import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import { encodeValue } from "../http/uri-template.ts";
import { dereference, objectsIn } from "../resource/reference.ts";
import { fillVariables } from "../resource/server-variables.ts";
import { type AsyncApiProtocol, plainProtocol, SUPPORTED_ASYNCAPI_PROTOCOLS } from "./protocols.ts";

/** Where the messages of an operation go or come from. */
export interface Channel {
  readonly protocol: AsyncApiProtocol;
  readonly url: URL;
  /** The HTTP method that a binding names. */
  readonly method: string | undefined;
  readonly contentType: string;
  /** Where a message has its correlation id, as the document writes it. */
  readonly correlation: string | undefined;
}

interface Found {
  readonly channel: JsonObject;
  readonly operation: JsonObject | undefined;
  /** With `{name}`. */
  readonly address: string;
}

/** The channel that the arguments name, by operation or by itself, in a document of AsyncAPI 2 or 3. */
export function findChannel(root: JsonObject, args: JsonObject, isPublish: boolean): Channel {
  const version = /^([23])\./.exec(String(root["asyncapi"]))?.[1];
  if (version === undefined) throw callError("configuration", "the document is not AsyncAPI 2 or 3");
  const isV3 = version === "3";
  const found = isV3 ? findV3(root, args) : findV2(root, args, isPublish);
  const chosen = chooseServer(root, found, args);
  const given =
    isObject(args["server"]) && isObject(args["server"]["variables"]) ? args["server"]["variables"] : {};
  const values = given as JsonObject;
  const base = serverAddress(chosen.server, chosen.protocol, isV3, values);
  // A parameter is one segment; a server's variable may be several.
  const segments = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "string" ? encodeValue(value) : value,
    ]),
  );
  const path = fillVariables(found.address, parametersOf(root, found.channel), segments);
  const url = URL.parse(`${base.replace(/\/$/, "")}/${path.replace(/^\//, "")}`);
  if (url === null) throw callError("configuration", "the document's server and channel make no address");
  const binding = bindingOf(root, found.operation, "http") ?? bindingOf(root, found.channel, "http");
  const message = firstMessage(root, found);
  const contentType = message?.["contentType"] ?? root["defaultContentType"];
  const correlation = dereference(root, message?.["correlationId"])?.["location"];
  return {
    protocol: chosen.plain,
    url,
    method: typeof binding?.["method"] === "string" ? binding["method"] : undefined,
    contentType: typeof contentType === "string" ? contentType : "application/json",
    correlation: typeof correlation === "string" ? correlation : undefined,
  };
}

function findV3(root: JsonObject, args: JsonObject): Found {
  const { operation: operationName, channel: channelName } = args;
  const channels = isObject(root["channels"]) ? (root["channels"] as JsonObject) : {};
  let operation: JsonObject | undefined;
  let channel: JsonObject | undefined;
  if (typeof operationName === "string") {
    const operations = isObject(root["operations"]) ? (root["operations"] as JsonObject) : {};
    operation = Object.hasOwn(operations, operationName)
      ? dereference(root, operations[operationName])
      : undefined;
    if (operation === undefined)
      throw callError("configuration", `the document has no operation \`${operationName}\``);
    channel = dereference(root, operation["channel"]);
  } else {
    const name = String(channelName);
    channel = Object.hasOwn(channels, name)
      ? dereference(root, channels[name])
      : objectsIn(root, channels).find(({ address }) => address === name);
  }
  if (channel === undefined) throw callError("configuration", "the document has no such channel");
  return { channel, operation, address: typeof channel["address"] === "string" ? channel["address"] : "" };
}

/** In version 2 the words are the application's: what it lets others publish stands under `publish`. */
function findV2(root: JsonObject, args: JsonObject, isPublish: boolean): Found {
  const channels = isObject(root["channels"]) ? (root["channels"] as JsonObject) : {};
  const { operation: operationName, channel: channelName } = args;
  for (const [address, value] of Object.entries(channels)) {
    const channel = dereference(root, value);
    if (channel === undefined) continue;
    if (typeof operationName !== "string") {
      if (address !== channelName) continue;
      return { channel, operation: dereference(root, channel[isPublish ? "publish" : "subscribe"]), address };
    }
    for (const word of ["publish", "subscribe"]) {
      const operation = dereference(root, channel[word]);
      if (operation?.["operationId"] === operationName) return { channel, operation, address };
    }
  }
  throw callError(
    "configuration",
    `the document has no channel or operation \`${operationName ?? channelName}\``,
  );
}

interface Chosen {
  readonly server: JsonObject;
  readonly protocol: string;
  readonly plain: AsyncApiProtocol;
}

function chooseServer(root: JsonObject, { channel }: Found, args: JsonObject): Chosen {
  const servers = isObject(root["servers"]) ? (root["servers"] as JsonObject) : {};
  const wanted = isObject(args["server"]) ? args["server"]["name"] : undefined;
  const listed =
    Array.isArray(channel["servers"]) && channel["servers"].length > 0 ? channel["servers"] : undefined;
  // Names in version 2, references in version 3.
  const names = listed?.map((item) =>
    isObject(item) ? String(item["$ref"]).replace(/^#\/servers\//, "") : String(item),
  );
  const candidates = Object.entries(servers).filter(([name]) =>
    wanted === undefined ? (names?.includes(name) ?? true) : name === wanted,
  );
  const protocols: string[] = [];
  for (const [, value] of candidates) {
    const server = dereference(root, value);
    const protocol = String(server?.["protocol"] ?? "");
    protocols.push(protocol);
    const plain = plainProtocol(protocol);
    if (server === undefined || plain === undefined) continue;
    if (args["protocol"] !== undefined && plain !== plainProtocol(String(args["protocol"]))) continue;
    return { server, protocol: protocol.toLowerCase(), plain };
  }
  if (candidates.length === 0)
    throw callError("configuration", "the document has no such server for the channel");
  const asked = typeof args["protocol"] === "string" ? [args["protocol"]] : protocols;
  throw callError(
    "configuration",
    `the protocol ${[...new Set(asked)].join(", ")} is not offered by this build for the channel's servers; ${SUPPORTED_ASYNCAPI_PROTOCOLS.join(" and ")} are`,
  );
}

function serverAddress(server: JsonObject, protocol: string, isV3: boolean, values: JsonObject): string {
  const text = isV3
    ? `${protocol}://${server["host"]}/${String(server["pathname"] ?? "").replace(/^\//, "")}`
    : String(server["url"] ?? "");
  const filled = fillVariables(text, server["variables"], values);
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(filled) ? filled : `${protocol}://${filled}`;
  const scheme = address.slice(0, address.indexOf(":"));
  if (plainProtocol(scheme) !== plainProtocol(protocol))
    throw callError("configuration", `the server's address is not one of the protocol ${protocol}`);
  // `protocol: wss` beside `ws://` means TLS.
  return /^(?:https|wss)$/.test(protocol) ? address.replace(/^(http|ws):/i, "$1s:") : address;
}

function parametersOf(root: JsonObject, channel: JsonObject): JsonObject {
  const parameters = isObject(channel["parameters"]) ? (channel["parameters"] as JsonObject) : {};
  const rules: JsonObject = {};
  for (const [name, value] of Object.entries(parameters)) {
    const parameter = dereference(root, value);
    // Version 2 keeps default and enum in a schema.
    rules[name] = { ...dereference(root, parameter?.["schema"]), ...parameter };
  }
  return rules;
}

function bindingOf(root: JsonObject, holder: JsonObject | undefined, name: string): JsonObject | undefined {
  return dereference(root, dereference(root, holder?.["bindings"])?.[name]);
}

function firstMessage(root: JsonObject, { channel, operation }: Found): JsonObject | undefined {
  const own: Json | undefined = operation?.["messages"] ?? operation?.["message"] ?? channel["messages"];
  const direct =
    Array.isArray(own) || operation?.["message"] === undefined ? undefined : dereference(root, own);
  const choices = direct?.["oneOf"] ?? (direct === undefined ? own : undefined);
  return choices === undefined ? direct : objectsIn(root, choices)[0];
}
