import { createHmac, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { isObject, type JsonObject } from "../../base/json.ts";
import { callError } from "../error.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A JWT signed with a shared secret (RFC 7518, HS256). */
export function signWithSecret(claims: JsonObject, secret: string): string {
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** A JWT signed with a private key in PEM: RS256, ES256, ES384, ES512 or EdDSA, as the key is. */
export function signWithKey(claims: JsonObject, pem: string): string {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw callError("configuration", "the client's key is not a private key in PEM");
  }
  const [algorithm, hash] = algorithmOf(key);
  const text = `${encode({ alg: algorithm, typ: "JWT" })}.${encode(claims)}`;
  const signature = sign(hash, Buffer.from(text), { key, dsaEncoding: "ieee-p1363" });
  return `${text}.${signature.toString("base64url")}`;
}

function algorithmOf(key: KeyObject): [string, string | null] {
  if (key.asymmetricKeyType === "rsa") return ["RS256", "sha256"];
  if (key.asymmetricKeyType === "ed25519") return ["EdDSA", null];
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case "prime256v1":
      return ["ES256", "sha256"];
    case "secp384r1":
      return ["ES384", "sha384"];
    case "secp521r1":
      return ["ES512", "sha512"];
    default:
      throw callError("configuration", "the client's key is of a kind that JWTs are not signed with here");
  }
}

/** The claims of a JWT, unverified; undefined for a token that is not one. */
export function readClaims(token: string): Record<string, unknown> | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1]!, "base64url").toString());
    return isObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
