import type { Json, JsonObject } from "../../base/json.ts";
import type { Port } from "../definition/types.ts";

/** The JSON Schema of typed inputs: an object that holds nothing else. */
export function schemaOfPorts(ports: Readonly<Record<string, Port>>): JsonObject {
  const properties: JsonObject = {};
  for (const [name, port] of Object.entries(ports)) properties[name] = schemaOfPort(port);
  const required = Object.keys(ports).filter((name) => ports[name]!.required === true);
  return {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function schemaOfPort(port: Port): JsonObject {
  const { description, minimum, maximum } = port;
  if (port.list === true) {
    const { description: _, default: fallback, ...item } = port;
    return {
      type: "array",
      items: schemaOfPort({ ...item, list: false }),
      ...(description === undefined ? {} : { description }),
      ...(fallback === undefined ? {} : { default: fallback }),
    };
  }
  return {
    ...TYPES[port.type],
    ...(description === undefined ? {} : { description }),
    ...(port.default === undefined ? {} : { default: port.default }),
    ...(port.enum === undefined ? {} : { enum: [...port.enum] }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(port.pattern === undefined ? {} : { pattern: `^(?:${port.pattern})$` }),
  };
}

const TYPES: Readonly<Record<Port["type"], JsonObject>> = {
  string: { type: "string" },
  integer: { type: "integer" },
  number: { type: "number" },
  boolean: { type: "boolean" },
  json: {},
  path: { type: "string", minLength: 1 },
  artifact: { type: "string", pattern: "^sha256:[0-9a-f]{64}$" },
};

/** The defaults of typed inputs as a literal of the expression language, or nothing when there are none. */
export function defaultsOf(ports: Readonly<Record<string, Port>>): string | undefined {
  const defaults: Record<string, Json> = {};
  for (const [name, port] of Object.entries(ports)) {
    if (port.default !== undefined) defaults[name] = port.default;
  }
  // JSON is a literal of the expression language but for `\(`, which JSON has no way to hold unescaped.
  return Object.keys(defaults).length === 0 ? undefined : JSON.stringify(defaults);
}
