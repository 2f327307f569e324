import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { canonicalJson } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";

/** Dead Simple Signing Envelope 1.0 (github.com/secure-systems-lab/dsse), the form of in-toto attestations. */
export interface Envelope {
  readonly payloadType: string;
  /** Base64 of the very bytes that were signed. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

const IN_TOTO_TYPE = "application/vnd.in-toto+json";

/** What is signed: type and body with their lengths, so that neither can be taken for a part of the other. */
function encoded(type: string, body: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `;
  return Buffer.concat([Buffer.from(head), body]);
}

/** `sha256:` and the digest of the public key as DER (SubjectPublicKeyInfo). */
export function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ format: "der", type: "spki" });
  return `sha256:${createHash("sha256").update(der).digest("hex")}`;
}

/** Sign a statement with an Ed25519 key. The payload is canonical JSON: the same statement gives the same envelope. */
export function signStatement(statement: JsonObject, secret: KeyObject): Envelope {
  const body = Buffer.from(canonicalJson(statement));
  return {
    payloadType: IN_TOTO_TYPE,
    payload: body.toString("base64"),
    signatures: [
      {
        keyid: keyIdOf(createPublicKey(secret)),
        sig: sign(null, encoded(IN_TOTO_TYPE, body), secret).toString("base64"),
      },
    ],
  };
}

const invalid = (why: string) => fail("provenance_invalid", why);

/** The envelope of a JSON text. @throws Failure `provenance_invalid` */
export function readEnvelope(text: string): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("the envelope is not JSON");
  }
  const { payloadType, payload, signatures } = (isObject(value) ? value : {}) as Partial<Envelope>;
  const signed =
    Array.isArray(signatures) &&
    signatures.length > 0 &&
    signatures.length <= 16 &&
    signatures.every(
      (each: unknown) =>
        isObject(each) && typeof each["keyid"] === "string" && typeof each["sig"] === "string",
    );
  if (typeof payloadType !== "string" || typeof payload !== "string" || !signed)
    throw invalid("the file is not a signed envelope (DSSE)");
  if (payloadType !== IN_TOTO_TYPE) throw invalid(`the envelope holds ${payloadType}, not ${IN_TOTO_TYPE}`);
  return { payloadType, payload, signatures: signatures as Envelope["signatures"] };
}

/**
 * The statement in an envelope, once one of its signatures is proved to be by this key.
 * @throws Failure `provenance_invalid`
 */
export function openEnvelope(
  { payloadType, payload, signatures }: Envelope,
  publicKey: KeyObject,
): JsonObject {
  const body = Buffer.from(payload, "base64");
  const bytes = encoded(payloadType, body);
  // The key id is a hint of the signer, and no proof: every signature is tried.
  if (!signatures.some(({ sig }) => verify(null, bytes, publicKey, Buffer.from(sig, "base64")))) {
    const id = keyIdOf(publicKey);
    throw signatures.some(({ keyid }) => keyid === id)
      ? invalid(`the signature of the key ${id} does not fit the statement, which was changed since`)
      : invalid(`no signature of the envelope is by the key ${id}`);
  }
  let statement: unknown;
  try {
    statement = JSON.parse(body.toString("utf8"));
  } catch {
    throw invalid("the signed payload is not JSON");
  }
  if (!isObject(statement)) throw invalid("the signed payload is not an object");
  return statement as JsonObject;
}
