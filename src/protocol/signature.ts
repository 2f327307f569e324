import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { canonicalJson } from "../base/canonical.ts";
import type { Lease, UnsignedLease } from "./lease.ts";
import type { Registration } from "./session.ts";

/** Ed25519 keys travel and rest as raw 32 bytes in base64url; these are the fixed DER prefixes around them. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export interface SigningKey {
  readonly secret: string;
  readonly publicKey: string;
}

export function newSigningKey(): SigningKey {
  const pair = generateKeyPairSync("ed25519");
  return {
    secret: pair.privateKey
      .export({ format: "der", type: "pkcs8" })
      .subarray(PKCS8_PREFIX.length)
      .toString("base64url"),
    publicKey: pair.publicKey
      .export({ format: "der", type: "spki" })
      .subarray(SPKI_PREFIX.length)
      .toString("base64url"),
  };
}

export function importSecretKey(secret: string): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, Buffer.from(secret, "base64url")]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

export function importPublicKey(publicKey: string): KeyObject {
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(publicKey, "base64url")]);
  return createPublicKey({ key: der, format: "der", type: "spki" });
}

/** A lease as it goes over the wire: the very bytes that were signed, and the signature. */
export function signedLeaseText(lease: UnsignedLease, key: KeyObject): string {
  const text = canonicalJson(lease);
  const signature = sign(null, Buffer.from(text), key).toString("base64url");
  return `${text.slice(0, -1)},"signature":"${signature}"}`;
}

export function signLease(lease: UnsignedLease, key: KeyObject): Lease {
  const signature = sign(null, Buffer.from(canonicalJson(lease)), key).toString("base64url");
  return { ...lease, signature };
}

/** Whether every byte of the lease is what the controller signed. */
export function verifyLease(lease: Lease, key: KeyObject): boolean {
  const { signature, ...unsigned } = lease;
  return verify(null, Buffer.from(canonicalJson(unsigned)), key, Buffer.from(signature, "base64url"));
}

/** A registration with its proof. */
export function signRegistration(
  registration: Omit<Registration, "publicKey" | "signature">,
  key: SigningKey,
): Registration {
  const claimed = { ...registration, publicKey: key.publicKey };
  const bytes = Buffer.from(canonicalJson(claimed));
  const signature = sign(null, bytes, importSecretKey(key.secret)).toString("base64url");
  return { ...claimed, signature };
}

/** Whether whoever sent this registration holds the key that it names. */
export function verifyRegistration(registration: Registration): boolean {
  const { signature, ...claimed } = registration;
  try {
    const key = importPublicKey(registration.publicKey);
    return verify(null, Buffer.from(canonicalJson(claimed)), key, Buffer.from(signature, "base64url"));
  } catch {
    // Bytes that are no point of the curve.
    return false;
  }
}
