import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { fault } from "../errors.ts";
import { environmentOf, isLiteral, withReferences } from "./run-request.ts";

/** The program that `call: mcp` starts and speaks to, or null where it speaks to an address. */
function serverOf(kind: string, args: JsonObject): JsonObject | null {
  const transport = args["transport"];
  const stdio = kind === "mcp" && isObject(transport) ? (transport as JsonObject)["stdio"] : undefined;
  return isObject(stdio) ? (stdio as JsonObject) : null;
}

/** A secret of a server's environment is the runner's to resolve, as that of a command is: the state holds its name. */
export function withServerReferences(kind: string, args: JsonObject): JsonObject {
  const server = serverOf(kind, args);
  if (server === null || !isObject(server["environment"])) return args;
  const environment = withReferences(server["environment"] as JsonObject);
  return { ...args, transport: { stdio: { ...server, environment } } };
}

/** The server with its values as a runner takes them; null where the call starts none. */
export function startedServer(kind: string, evaluated: JsonObject, declared: JsonObject): JsonObject | null {
  const server = serverOf(kind, evaluated);
  if (server === null) return null;
  const said = serverOf(kind, declared)!;
  if (!isLiteral(said["command"]))
    throw fault("validation", "transport.stdio.command must be a literal; pass values as arguments");
  const given = (server["arguments"] ?? []) as Json;
  // What waits for a secret is null here.
  if (
    Object.values({ given, ...(server["environment"] as JsonObject) })
      .flat()
      .includes(null)
  )
    throw fault(
      "authorization",
      "a secret of an MCP server is the whole value of a variable of its environment, and stands nowhere else",
    );
  if (!Array.isArray(given) || given.some((each) => typeof each === "object"))
    throw fault("expression", "transport.stdio.arguments must be a list of texts");
  return {
    command: said["command"],
    arguments: given.map(String),
    environment: environmentOf(
      (server["environment"] ?? {}) as JsonObject,
      (said["environment"] ?? {}) as JsonObject,
    ),
  };
}
