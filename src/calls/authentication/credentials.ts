import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { callError } from "../error.ts";
import { digestCredentials } from "./digest.ts";
import { oauth2Credentials } from "./oauth2.ts";

/** What an authentication scheme looks at. */
export interface AuthenticatedRequest {
  readonly method: string;
  readonly url: URL;
}

/** A way to prove who calls. */
export interface Credentials {
  /** Headers to add, in lower case; none where the server has to ask first. */
  headersFor(request: AuthenticatedRequest, scope: CallScope): Promise<Record<string, string>>;
  /** After a 401: whether another try has a new chance. */
  renew?(response: Response, request: AuthenticatedRequest, scope: CallScope): Promise<boolean>;
  /** Query parameters to add; they are kept out of what the task shows of its request. */
  queryFor?(scope: CallScope): Promise<Record<string, string>>;
  /** The token itself, for protocols that put it elsewhere. */
  token?(scope: CallScope): Promise<string>;
}

/** An authentication policy of the DSL as credentials; undefined for none. */
export function credentialsFor(policy: JsonObject | undefined, scope: CallScope): Credentials | undefined {
  if (policy === undefined) return undefined;
  const schemes = Object.keys(policy);
  const [scheme] = schemes;
  const properties = policy[scheme ?? ""];
  if (schemes.length !== 1 || !isObject(properties) || "use" in properties)
    throw callError("configuration", "the authentication is not resolved to one scheme with its properties");
  const values = properties as JsonObject;
  switch (scheme) {
    case "basic": {
      const [username, password] = nameAndPassword(values);
      const encoded = Buffer.from(`${username}:${password}`).toString("base64");
      scope.secrets.add(encoded);
      return { headersFor: async () => ({ authorization: `Basic ${encoded}` }) };
    }
    case "bearer": {
      const token = text(values["token"], "bearer.token");
      return {
        headersFor: async () => ({ authorization: `Bearer ${token}` }),
        token: async () => token,
      };
    }
    case "digest": {
      const [username, password] = nameAndPassword(values);
      return digestCredentials(username, password);
    }
    case "oauth2":
    case "oidc":
      return oauth2Credentials(scheme, values);
    default:
      throw callError("configuration", `\`${scheme}\` is not an authentication scheme`);
  }
}

function nameAndPassword(values: JsonObject): [string, string] {
  return [text(values["username"], "username"), text(values["password"], "password")];
}

/** A value goes into a header, where a line end would start another one. */
function text(value: Json | undefined, what: string): string {
  if (typeof value !== "string" || /[\r\n\0]/.test(value))
    throw callError("configuration", `\`${what}\` of the authentication must be a text without line ends`);
  return value;
}
