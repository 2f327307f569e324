import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { writeFileDurable } from "../base/files.ts";
import type { Json } from "../base/json.ts";
import { keyIdOf, packageUrl, STATEMENT_TYPE, signStatement } from "../release/index.ts";
import type { ActionContext } from "./child.ts";
import { absolutePath, givenArtifacts, onlyKnows, plainName } from "./given.ts";

/** The secret of the release, in the environment of this task alone: `runner-secret://…`. */
const KEY = "RELEASE_SIGNING_KEY";
const RELEASE_TYPE = "https://in-toto.io/attestation/release/v0.1";

/**
 * Sign a release: an in-toto statement over the digests of its artifacts, by the release's own key, beside the release in the
 * registry. The same key and artifacts give the same bytes, so that doing it twice changes nothing.
 * @throws Failure `secret_denied`, `conflict`
 */
export async function sign(context: ActionContext): Promise<Json> {
  const { given, env, say } = context;
  onlyKnows(given, "registry", "name", "version", "artifacts");
  const registry = absolutePath(given, "registry");
  const name = plainName(given, "name");
  const version = plainName(given, "version");
  const artifacts = givenArtifacts(context, "artifacts");
  const secret = signingKey(env[KEY]);
  const statement = {
    _type: STATEMENT_TYPE,
    subject: artifacts.map((each) => ({ name: each.name, digest: { sha256: each.sha256 } })),
    predicateType: RELEASE_TYPE,
    predicate: { purl: packageUrl({ ecosystem: "npm", name, version }).replace(/^pkg:npm/, "pkg:generic") },
  };
  const text = `${JSON.stringify(signStatement(statement, secret))}\n`;
  const folder = join(registry, name);
  if (!existsSync(join(folder, version)))
    throw fail("not_found", `${name} ${version} is not published in ${registry}`);
  const path = join(folder, `${version}.release.intoto.json`);
  if (existsSync(path) && readFileSync(path, "utf8") !== text)
    throw fail("conflict", `${path} is the signature of other contents, or by another key`);
  if (!existsSync(path)) writeFileDurable(path, text);
  mkdirSync("outputs", { recursive: true });
  writeFileSync(join("outputs", `${version}.release.intoto.json`), text);
  const keyId = keyIdOf(createPublicKey(secret));
  say(`signed ${artifacts.length} artifacts of ${name} ${version} with ${keyId}`);
  return { path, keyId };
}

/** PKCS #8, as `openssl genpkey -algorithm ed25519` writes it. */
function signingKey(pem: string | undefined): KeyObject {
  if (pem === undefined || pem === "")
    throw fail("secret_denied", `the task has no ${KEY}`, {
      hint: "give it the runner's secret: runner-secret://<name>",
    });
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch {
    // What it holds instead is nobody's business.
  }
  throw fail("secret_denied", `${KEY} does not hold an Ed25519 key in PEM`);
}
