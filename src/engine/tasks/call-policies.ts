import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import { joinPointer } from "../../workflow/index.ts";
import { fault } from "../errors.ts";
import type { Machine } from "../machine.ts";

/** What a call sends is not looked into: a body may have an `authentication` of its own. */
const PAYLOADS = new Set(["body", "parameters", "arguments", "message", "headers", "query"]);

/**
 * `{use: name}` as the policy of that name. Secrets in it stay names until the call is made; `secrets` gets where the
 * document wrote them, so that no value that comes out of an expression can ask for one.
 */
export function withPolicies(
  machine: Machine,
  value: Json,
  secrets: Record<string, string>,
  pointer = "",
): Json {
  if (Array.isArray(value))
    return value.map((item, index) => withPolicies(machine, item, secrets, joinPointer(pointer, index)));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([key, member]) => {
      const at = joinPointer(pointer, key);
      if (PAYLOADS.has(key)) return [key, member];
      if (key !== "authentication" || !isObject(member))
        return [key, withPolicies(machine, member, secrets, at)];
      const policy = policyOf(machine, member as JsonObject);
      for (const [scheme, properties] of Object.entries(policy)) {
        const name = isObject(properties) ? (properties as JsonObject)["use"] : undefined;
        if (typeof name === "string") secrets[joinPointer(at, scheme)] = name;
      }
      return [key, policy];
    }),
  );
}

function policyOf(machine: Machine, declared: JsonObject): JsonObject {
  const name = declared["use"];
  if (typeof name !== "string") return declared;
  const policy = machine.definition.at(joinPointer("/use/authentications", name));
  if (!isObject(policy)) throw fault("configuration", `no authentication is named ${JSON.stringify(name)}`);
  return policy as JsonObject;
}
