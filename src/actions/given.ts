import { readFileSync } from "node:fs";
import { sha256 } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import type { ActionContext } from "./child.ts";

/** A name that may stand in a path, a tag and a reference. */
const PLAIN = /^(?!.*\.\.)[A-Za-z0-9@][A-Za-z0-9._@+-]{0,127}(?:\/[A-Za-z0-9][A-Za-z0-9._+-]{0,127})?$/;

const wrong = (what: string) => fail("invalid_request", what);

/** Refuse what an action does not know: a misspelt parameter that is ignored would be another action. */
export function onlyKnows(given: JsonObject, ...names: string[]): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw wrong(`the action has no parameter ${unknown}; it has ${names.join(", ")}`);
}

export function text(given: JsonObject, name: string, fallback?: string): string {
  const value = given[name] ?? fallback;
  if (typeof value !== "string" || value === "" || value.includes("\0"))
    throw wrong(`the parameter ${name} must be a text`);
  return value;
}

/** A package's name or version, a tag. */
export function plainName(given: JsonObject, name: string): string {
  const value = text(given, name);
  if (!PLAIN.test(value)) throw wrong(`${name} ${JSON.stringify(value)} is not a plain name`);
  return value;
}

export function absolutePath(given: JsonObject, name: string): string {
  const value = text(given, name);
  if (!value.startsWith("/") || value.split("/").includes(".."))
    throw wrong(`${name} must be an absolute path without ..`);
  return value.replace(/(?<=.)\/+$/, "");
}

export interface GivenArtifact {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

const MAXIMUM_ARTIFACTS = 256;

/** Artifacts by digest, read once and compared with their digests: what is checked is what is used. */
export function givenArtifacts({ given, file }: ActionContext, name: string): GivenArtifact[] {
  const list: Json | undefined = given[name];
  if (!Array.isArray(list) || list.length === 0 || list.length > MAXIMUM_ARTIFACTS)
    throw wrong(`the parameter ${name} must be a list of 1 to ${MAXIMUM_ARTIFACTS} artifacts`);
  const seen = new Set<string>();
  return list.map((each) => {
    const value = (isObject(each) ? each : {}) as JsonObject;
    const path = text(value, "name");
    const base = path.split("/").at(-1)!;
    if (!/^(?!\.)[A-Za-z0-9@._+ -]{1,255}$/.test(base)) throw wrong(`${path} is not a plain file name`);
    if (seen.has(base)) throw wrong(`two artifacts are named ${base}`);
    seen.add(base);
    const digest = text(value, "sha256").replace(/^sha256:/, "");
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(readFileSync(file(digest)));
    } catch (error) {
      throw fail("artifact_not_found", `the artifact ${base} (${digest}) did not come in`, {
        hint: "name its digest among the step's files",
        cause: error,
      });
    }
    if (sha256(bytes) !== digest)
      throw fail("artifact_digest_mismatch", `the bytes of ${base} are not those of sha256:${digest}`);
    return { name: base, sha256: digest, bytes };
  });
}
