import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import {
  cargoComponents,
  cycloneDx,
  npmComponents,
  openEnvelope,
  readEnvelope,
  signStatement,
} from "./index.ts";

const pair = generateKeyPairSync("ed25519");

test("an envelope opens with the key that signed it and with no other, and not when a byte was changed", () => {
  const envelope = signStatement({ a: 1 }, pair.privateKey);
  expect(openEnvelope(readEnvelope(JSON.stringify(envelope)), pair.publicKey)).toEqual({ a: 1 });
  const other = generateKeyPairSync("ed25519").publicKey;
  expect(() => openEnvelope(envelope, other)).toThrow("no signature");
  const changed = { ...envelope, payload: Buffer.from('{"a":2}').toString("base64") };
  expect(() => openEnvelope(changed, pair.publicKey)).toThrow("no signature");
  expect(() => openEnvelope({ ...envelope, payloadType: "text/plain" }, pair.publicKey)).toThrow(
    "no signature",
  );
});

test("what is no envelope is said so", () => {
  for (const text of ["", "[]", "{}", '{"payloadType":"a","payload":"b","signatures":[]}', '{"payload":1}']) {
    expect(() => readEnvelope(text)).toThrow();
  }
});

test("a lock file becomes its packages once each, in one order, without the project itself", () => {
  const lock = {
    packages: {
      "": { name: "mine", version: "1.0.0" },
      "node_modules/b": { version: "2.0.0", integrity: "sha512-YQ==", license: "(MIT OR Apache-2.0)" },
      "node_modules/@s/a": { version: "1.0.0", dev: true, license: "MIT" },
      "node_modules/b/node_modules/@s/a": { version: "1.0.0" },
      "node_modules/linked": { resolved: "packages/linked", link: true },
    },
  };
  const bom = cycloneDx({ name: "mine", version: "1.0.0", ecosystem: "npm" }, npmComponents(lock), "0");
  expect((bom["components"] as { purl: string }[]).map(({ purl }) => purl)).toEqual([
    "pkg:npm/%40s/a@1.0.0",
    "pkg:npm/b@2.0.0",
  ]);
  expect(bom["components"]).toMatchObject([
    {},
    { hashes: [{ alg: "SHA-512", content: "61" }], licenses: [{ expression: "(MIT OR Apache-2.0)" }] },
  ]);
  expect(() => npmComponents({ lockfileVersion: 1, dependencies: {} })).toThrow("no packages");
});

test("crates of a registry are components, those of the workspace are not", () => {
  const lock = {
    package: [
      { name: "mine", version: "0.1.0" },
      { name: "serde", version: "1.0.0", source: "registry+https://x", checksum: "ab" },
    ],
  };
  expect(cargoComponents(lock)).toMatchObject([
    { name: "serde", hashes: [{ alg: "SHA-256", content: "ab" }] },
  ]);
});
