import { newId } from "../../base/ids.ts";
import { isObject, type Json, type JsonObject } from "../../base/json.ts";
import type { CallScope } from "../call.ts";
import { place } from "../destination/check.ts";
import { callError } from "../error.ts";
import { encodeForm } from "../http/body.ts";
import { fetchJson } from "./fetch-json.ts";
import { signWithKey, signWithSecret } from "./jwt.ts";
import type { TokenServer } from "./oauth2.ts";

export interface TokenAnswer {
  readonly access: string;
  readonly expiresInMs?: number;
  readonly refresh?: string;
  /** The ID token of OpenID Connect. */
  readonly identity?: string;
}

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_LIFE_S = 60;

/** Ask a token endpoint (RFC 6749), by the policy's grant or with a refresh token that came with an earlier answer. */
export async function requestToken(
  server: TokenServer,
  properties: JsonObject,
  scope: CallScope,
  refresh?: string,
): Promise<TokenAnswer> {
  const headers: Record<string, string> = {};
  const fields: JsonObject = {
    ...(refresh === undefined
      ? grantFields(properties)
      : { grant_type: "refresh_token", refresh_token: refresh }),
    ...clientFields(properties, server, headers, scope),
  };
  const scopes = properties["scopes"];
  if (Array.isArray(scopes) && scopes.length > 0) fields["scope"] = scopes.join(" ");
  const audiences = properties["audiences"];
  if (Array.isArray(audiences) && audiences.length > 0)
    fields["audience"] = audiences.length === 1 ? audiences[0]! : audiences;

  const request = properties["request"];
  const isJson = isObject(request) && request["encoding"] === "application/json";
  headers["content-type"] = isJson ? "application/json" : "application/x-www-form-urlencoded";
  const body = isJson ? JSON.stringify(fields) : encodeForm(fields);
  const { status, value } = await fetchJson(server.tokenEndpoint, { method: "POST", headers, body }, scope);
  return readAnswer(status, value, server.tokenEndpoint);
}

function readAnswer(status: number, value: Json | undefined, url: URL): TokenAnswer {
  const from = `the token endpoint ${place(url)}`;
  const answer = isObject(value) ? value : {};
  if (status < 200 || status >= 300) {
    // The error code is a word of RFC 6749; its description is free text that may repeat what was sent.
    const code = answer["error"];
    const reason = typeof code === "string" && /^[a-z_]{1,40}$/.test(code) ? ` (${code})` : "";
    const type = status >= 400 && status < 500 ? "authentication" : "communication";
    throw callError(
      type,
      `${from} answered ${status}${reason}`,
      type === "communication" ? status : undefined,
    );
  }
  const { access_token: access, token_type: type, expires_in: life, refresh_token, id_token } = answer;
  if (typeof access !== "string" || !/^[\x21-\x7e]+$/.test(access))
    throw callError("authentication", `${from} answered without a usable access token`);
  if (typeof type === "string" && !/^(?:bearer|n_a)$/i.test(type))
    throw callError("authentication", `${from} answered with a token that is not a bearer token`);
  const seconds = Number(life);
  return {
    access,
    ...(life !== undefined && life !== null && seconds > 0 ? { expiresInMs: seconds * 1000 } : {}),
    ...(typeof refresh_token === "string" ? { refresh: refresh_token } : {}),
    ...(typeof id_token === "string" ? { identity: id_token } : {}),
  };
}

/**
 * What each grant sends. The DSL names no place for a code or a refresh token: they are taken from `subject.token`, or
 * from `code`, `redirectUri` and `refreshToken`, which the properties may hold when they come from a secret.
 */
function grantFields(properties: JsonObject): JsonObject {
  const grant = properties["grant"];
  const subject = tokenOf(properties["subject"]);
  const actor = tokenOf(properties["actor"]);
  switch (grant) {
    case "client_credentials":
      return { grant_type: grant };
    case "password":
      return {
        grant_type: grant,
        username: required(properties["username"], "username"),
        password: required(properties["password"], "password"),
      };
    case "refresh_token":
      return {
        grant_type: grant,
        refresh_token: required(properties["refreshToken"] ?? subject?.token, "subject.token"),
      };
    case "authorization_code": {
      const redirect = properties["redirectUri"];
      return {
        grant_type: grant,
        code: required(properties["code"] ?? subject?.token, "subject.token"),
        ...(redirect === undefined ? {} : { redirect_uri: redirect }),
      };
    }
    case TOKEN_EXCHANGE:
      return {
        grant_type: grant,
        subject_token: required(subject?.token, "subject.token"),
        subject_token_type: required(subject?.type, "subject.type"),
        ...(actor === undefined
          ? {}
          : {
              actor_token: required(actor.token, "actor.token"),
              actor_token_type: required(actor.type, "actor.type"),
            }),
      };
    default:
      throw callError("configuration", "`grant` is missing or not one of the DSL's");
  }
}

function tokenOf(value: Json | undefined): { token: Json | undefined; type: Json | undefined } | undefined {
  return isObject(value) ? { token: value["token"] as Json, type: value["type"] as Json } : undefined;
}

/** How the client proves itself (RFC 6749, 2.3; OpenID Connect Core 1.0, 9). `client_secret_post` is the DSL's default. */
function clientFields(
  properties: JsonObject,
  server: TokenServer,
  headers: Record<string, string>,
  scope: CallScope,
): JsonObject {
  const client = properties["client"];
  if (!isObject(client)) return {};
  const values = client as JsonObject;
  const id = () => required(values["id"], "client.id");
  const secret = () => required(values["secret"], "client.secret");
  const claims = (): JsonObject => {
    const now = Math.floor(scope.clock.wall() / 1000);
    const audience = server.issuer ?? server.tokenEndpoint.href;
    return { iss: id(), sub: id(), aud: audience, jti: newId(), iat: now, exp: now + ASSERTION_LIFE_S };
  };
  const asserted = (assertion: string): JsonObject => {
    scope.secrets.add(assertion);
    const fields: JsonObject = { client_assertion_type: JWT_ASSERTION, client_assertion: assertion };
    if (values["id"] !== undefined) fields["client_id"] = values["id"];
    return fields;
  };
  switch (values["authentication"] ?? "client_secret_post") {
    case "none":
      return { client_id: id() };
    case "client_secret_basic": {
      const encoded = Buffer.from(`${formEncode(id())}:${formEncode(secret())}`).toString("base64");
      scope.secrets.add(encoded);
      headers["authorization"] = `Basic ${encoded}`;
      return {};
    }
    case "client_secret_post":
      // A public client has no secret to send.
      return values["secret"] === undefined
        ? { client_id: id() }
        : { client_id: id(), client_secret: secret() };
    case "client_secret_jwt":
      return asserted(
        typeof values["assertion"] === "string" ? values["assertion"] : signWithSecret(claims(), secret()),
      );
    case "private_key_jwt": {
      // `assertion` is a JWT that is signed already, or the key to sign one with.
      const given = required(values["assertion"] ?? values["secret"], "client.assertion");
      return asserted(given.includes("-----BEGIN") ? signWithKey(claims(), given) : given);
    }
    default:
      throw callError("configuration", "`client.authentication` is not one of the DSL's");
  }
}

function formEncode(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}

function required(value: Json | undefined, what: string): string {
  if (typeof value !== "string" || value === "")
    throw callError("configuration", `\`${what}\` of the authentication must be a text that is not empty`);
  return value;
}
