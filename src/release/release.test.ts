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
  expect(() => openEnvelope(changed, pair.publicKey)).toThrow("was changed since");
  expect(() => openEnvelope({ ...envelope, payloadType: "text/plain" }, pair.publicKey)).toThrow(
    "was changed since",
  );
});

test("what is no envelope is said so", () => {
  const other = { ...signStatement({ a: 1 }, pair.privateKey), payloadType: "text/plain" };
  expect(() => readEnvelope(JSON.stringify(other))).toThrow("the envelope holds text/plain");
  for (const text of ["", "[]", "{}", '{"payloadType":"a","payload":"b","signatures":[]}', '{"payload":1}']) {
    expect(() => readEnvelope(text)).toThrow();
  }
});

const WHOLE = Buffer.from("a".repeat(64)).toString("base64");

test("CycloneDX takes a licence of SPDX's list or a name, and digests of the right length", () => {
  const licences = [
    "ISC",
    "BSD",
    "SEE LICENSE IN x",
    "MIT AND (ISC OR Odd-1.0)",
    "Mine",
    "see MIT",
    "UNLICENSED",
  ];
  const packages = Object.fromEntries(
    licences.map((license, at) => [
      `node_modules/p${at}`,
      {
        version: "1.0.0",
        license,
        integrity: at === 0 ? `md5-YQ== sha512-YQ== sha256-${WHOLE}` : "sha512-!!",
      },
    ]),
  );
  const bom = cycloneDx({ name: "m", version: "1", ecosystem: "npm" }, npmComponents({ packages }), "0");
  const listed = bom["components"] as { licenses: unknown[]; hashes?: unknown }[];
  expect(listed.map((each) => each.licenses[0])).toEqual([
    { license: { id: "ISC" } },
    { license: { name: "BSD" } },
    { license: { name: "SEE LICENSE IN x" } },
    { expression: "MIT AND (ISC OR Odd-1.0)" },
    { license: { name: "Mine" } },
    { license: { name: "see MIT" } },
    { license: { name: "UNLICENSED" } },
  ]);
  expect(listed.map(({ hashes }) => hashes)).toEqual(licences.map(() => undefined));
});

test("a lock file becomes its packages once each, in one order, without the project itself", () => {
  const lock = {
    packages: {
      "": { name: "mine", version: "1.0.0" },
      "node_modules/b": {
        version: "2.0.0",
        integrity: `sha512-${WHOLE} sha1-YQ==`,
        license: "(MIT OR Apache-2.0)",
      },
      "node_modules/@s/a": { version: "1.0.0", license: "MIT" },
      "node_modules/b/node_modules/@s/a": { version: "1.0.0", dev: true },
      "node_modules/linked": { resolved: "packages/linked", link: true },
    },
  };
  const bom = cycloneDx({ name: "mine", version: "1.0.0", ecosystem: "npm" }, npmComponents(lock), "0");
  expect((bom["components"] as { purl: string }[]).map(({ purl }) => purl)).toEqual([
    "pkg:npm/%40s/a@1.0.0",
    "pkg:npm/b@2.0.0",
  ]);
  expect(bom["components"]).toMatchObject([
    // Once for tests, once for the program.
    { scope: "required", licenses: [{ license: { id: "MIT" } }] },
    {
      hashes: [{ alg: "SHA-512", content: "61".repeat(64) }],
      licenses: [{ expression: "(MIT OR Apache-2.0)" }],
    },
  ]);
  expect(() => npmComponents({ lockfileVersion: 1, dependencies: {} })).toThrow("no packages");
});

test("crates of a registry are components, those of the workspace are not", () => {
  const lock = {
    package: [
      { name: "mine", version: "0.1.0" },
      { name: "serde", version: "1.0.0", source: "registry+https://x", checksum: "ab".repeat(32) },
      { name: "rand", version: "1.0.0", source: "registry+https://x", checksum: "ab" },
    ],
  };
  expect(cargoComponents(lock)).toMatchObject([
    { name: "serde", hashes: [{ alg: "SHA-256", content: "ab".repeat(32) }] },
    { name: "rand", hashes: [] },
  ]);
});
