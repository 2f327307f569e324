import { existsSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../base/errors.ts";
import { makePrivateDirectory, writeFileDurable } from "../base/files.ts";
import { readPrivateFile } from "../base/private-file.ts";
import { importPublicKey, newSigningKey, type SigningKey } from "../protocol/index.ts";

const FILE = "identity.json";

/**
 * The runner's own key, made at its first start and never sent anywhere. Only its owner may read the file.
 * @throws Failure `secret_denied` when others may read it, it is a link, or it holds no key
 */
export function loadIdentity(dataDirectory: string): SigningKey {
  const path = join(dataDirectory, FILE);
  if (!existsSync(path)) {
    makePrivateDirectory(dataDirectory);
    const key = newSigningKey();
    writeFileDurable(path, `${JSON.stringify(key)}\n`);
    return key;
  }
  const damaged = () =>
    fail("secret_denied", `${path} does not hold a key`, {
      hint: "remove it and enrol this runner again",
    });
  try {
    const { secret, publicKey } = JSON.parse(readPrivateFile(path)) as Partial<SigningKey>;
    if (typeof secret !== "string" || typeof publicKey !== "string") throw damaged();
    importPublicKey(publicKey);
    return { secret, publicKey };
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof TypeError && "code" in error)) throw damaged();
    throw error;
  }
}
