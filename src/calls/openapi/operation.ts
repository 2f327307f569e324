import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";
import type { ReadDocument } from "../resource/read-document.ts";
import { dereference, objectsIn } from "../resource/reference.ts";
import { type BodyRule, bodyRule } from "./body.ts";
import { type ParameterRule, parameterRule } from "./parameter.ts";
import { serverUrl } from "./server.ts";

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];

export interface Operation {
  readonly method: string;
  /** Without a slash at its end. */
  readonly server: string;
  /** With `{name}`. */
  readonly path: string;
  readonly parameters: readonly ParameterRule[];
  readonly body: BodyRule | undefined;
  readonly accepts: readonly string[];
  /** Alternatives, each the schemes that go together. */
  readonly security: readonly (readonly JsonObject[])[];
}

/** One operation of an OpenAPI 2.0, 3.0 or 3.1 document by its `operationId`. */
export function findOperation(document: ReadDocument, operationId: string): Operation {
  const { root } = document;
  const isV2 = root["swagger"] === "2.0" || String(root["swagger"]) === "2";
  if (!isV2 && !/^3\.[012](?:\.|$)/.test(String(root["openapi"])))
    throw callError("configuration", "the document is not OpenAPI 2.0, 3.0 or 3.1");
  for (const [path, value] of Object.entries(isObject(root["paths"]) ? root["paths"] : {})) {
    const item = dereference(root, value as Json);
    if (item === undefined) continue;
    for (const method of METHODS) {
      const operation = dereference(root, item[method]);
      if (operation?.["operationId"] !== operationId) continue;
      return describe(document, isV2, { path, method, item, operation });
    }
  }
  throw callError("configuration", `the document has no operation \`${operationId}\``);
}

interface Found {
  readonly path: string;
  readonly method: string;
  readonly item: JsonObject;
  readonly operation: JsonObject;
}

function describe(document: ReadDocument, isV2: boolean, found: Found): Operation {
  const { root } = document;
  const { item, operation } = found;
  // An operation's parameter stands in for the path's of the same name and place.
  const declared = new Map<string, JsonObject>();
  for (const parameter of [
    ...objectsIn(root, item["parameters"]),
    ...objectsIn(root, operation["parameters"]),
  ])
    declared.set(`${parameter["in"]}:${parameter["name"]}`, parameter);
  const all = [...declared.values()];
  return {
    method: found.method.toUpperCase(),
    server: serverUrl(document, isV2, item, operation),
    path: found.path,
    parameters: all
      .filter(({ in: place }) => place !== "body" && place !== "formData")
      .map((parameter) => parameterRule(root, parameter, isV2)),
    body: bodyRule(root, operation, all, isV2),
    accepts: acceptedTypes(root, operation, isV2),
    security: securityOf(root, operation, isV2),
  };
}

function securityOf(root: JsonObject, operation: JsonObject, isV2: boolean): JsonObject[][] {
  const requirements = operation["security"] ?? root["security"];
  const schemes = isV2
    ? dereference(root, root["securityDefinitions"])
    : dereference(root, dereference(root, root["components"])?.["securitySchemes"]);
  return objectsIn(root, requirements).map((names) =>
    Object.keys(names)
      .map((name) => dereference(root, schemes?.[name]))
      .filter((scheme) => scheme !== undefined),
  );
}

function acceptedTypes(root: JsonObject, operation: JsonObject, isV2: boolean): string[] {
  if (isV2) {
    const produces = operation["produces"] ?? root["produces"];
    return Array.isArray(produces) ? produces.filter((type) => typeof type === "string") : [];
  }
  const responses = isObject(operation["responses"]) ? operation["responses"] : {};
  return Object.entries(responses)
    .filter(([status]) => /^2|^default$/.test(status))
    .flatMap(([, response]) => {
      const content = dereference(root, response as Json)?.["content"];
      return isObject(content) ? Object.keys(content) : [];
    });
}
