import type { JsonObject } from "../../base/json.ts";
import type { Credentials } from "../authentication/credentials.ts";
import type { Operation } from "./operation.ts";

/**
 * Credentials in the place that the operation asks for. A policy with a token fills an `apiKey` scheme where the
 * operation has no scheme that takes it as `Authorization`; everything else is sent as the policy itself says.
 */
export function securedCredentials(
  operation: Operation,
  credentials: Credentials | undefined,
): Credentials | undefined {
  if (credentials?.token === undefined) return credentials;
  const token = credentials.token;
  const isOnlyKey = (schemes: readonly JsonObject[]) =>
    schemes.length > 0 && schemes.every((scheme) => scheme["type"] === "apiKey");
  if (operation.security.length === 0 || !operation.security.every(isOnlyKey)) return credentials;
  const key = operation.security[0]![0];
  const name = key?.["name"];
  if (typeof name !== "string") return credentials;
  switch (key?.["in"]) {
    case "header":
      return { headersFor: async (_, scope) => ({ [name.toLowerCase()]: await token(scope) }) };
    case "cookie":
      return {
        headersFor: async (_, scope) => ({ cookie: `${name}=${encodeURIComponent(await token(scope))}` }),
      };
    case "query":
      return { headersFor: async () => ({}), queryFor: async (scope) => ({ [name]: await token(scope) }) };
    default:
      return credentials;
  }
}
