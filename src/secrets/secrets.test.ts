import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putSecret, Store } from "../store/index.ts";
import { ensureKey, keyPath } from "./key.ts";
import { openSecrets, placeOf } from "./resolve.ts";
import { seal, unseal } from "./seal.ts";

const directory = mkdtempSync(join(tmpdir(), "secrets-"));
const store = Store.open(join(directory, "store.db"));
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const put = (name: string, kind: "value" | "reference", body: string, tenantId = "t") =>
  store.write(putSecret, { tenantId, name, kind, body, actor: "user:0", now: 1 });
const secrets = (env: Record<string, string> = {}) => openSecrets(store, directory, env);

test("the key is made once, for its owner alone", () => {
  const [one, other] = [ensureKey(directory), ensureKey(directory)];
  expect(one.equals(other)).toBe(true);
  expect(statSync(keyPath(directory)).mode & 0o777).toBe(0o600);
});

test("a sealed text opens at its own place with its own key, and nowhere else", () => {
  const key = ensureKey(directory);
  const sealed = seal("swordfish", placeOf("t", "a"), key);
  expect(Buffer.from(sealed, "base64").toString("latin1")).not.toContain("swordfish");
  expect(unseal(sealed, placeOf("t", "a"), key)).toBe("swordfish");
  expect(seal("swordfish", placeOf("t", "a"), key)).not.toBe(sealed);
  expect(() => unseal(sealed, placeOf("t", "b"), key)).toThrow("does not open");
  expect(() => unseal(sealed, placeOf("t", "a"), Buffer.alloc(32))).toThrow("does not open");
  expect(() => unseal("AAAA", placeOf("t", "a"), key)).toThrow("does not open");
});

test("a secret of one tenant is none of another's", async () => {
  await put("a", "value", seal("swordfish", placeOf("t", "a"), ensureKey(directory)));
  expect(secrets().resolve("t", "a")).toBe("swordfish");
  expect(secrets().resolve("u", "a")).toBeUndefined();
  expect(secrets().has("u", "a")).toBe(false);
});

test("a JSON object is a secret with properties", async () => {
  const text = '{"username":"me","password":"swordfish"}';
  await put("b", "value", seal(text, placeOf("t", "b"), ensureKey(directory)));
  expect(secrets().resolve("t", "b")).toEqual({ username: "me", password: "swordfish" });
});

test("a reference is read where it points, at each use", async () => {
  await put("c", "reference", "env:TOKEN");
  expect(secrets({ TOKEN: "one" }).resolve("t", "c")).toBe("one");
  expect(() => secrets().resolve("t", "c")).toThrow("TOKEN is not set");
  const file = join(directory, "token");
  writeFileSync(file, "from a file\n", { mode: 0o600 });
  await put("d", "reference", `file:${file}`);
  expect(secrets().resolve("t", "d")).toBe("from a file");
  chmodSync(file, 0o644);
  expect(() => secrets().resolve("t", "d")).toThrow("may be read by others");
  chmodSync(file, 0o600);
  await put("e", "reference", "systemd-creds:token");
  expect(secrets({ CREDENTIALS_DIRECTORY: directory }).resolve("t", "e")).toBe("from a file");
  expect(() => secrets().resolve("t", "e")).toThrow("LoadCredential=token");
});
