import { expect, test } from "bun:test";
import type { Failure } from "../../base/errors.ts";
import { parseRunnerFile } from "./file.ts";

const refusal = (text: string): { code: string; message: string; hint: string | undefined } => {
  try {
    parseRunnerFile(text, "r.yaml");
  } catch (error) {
    const { code, message, hint } = error as Failure;
    return { code, message, hint };
  }
  throw new Error("the file was taken");
};

const BASE = "version: 1\nrunnerId: builder-1\n";

test("a runner.yaml is read whole, and needs no more than its version and the runner's id", () => {
  expect(parseRunnerFile(BASE, "r.yaml")).toEqual({ version: 1, runnerId: "builder-1" });
  const secrets = "secrets:\n  one: {vault: {path: ci/registry, field: token}}\n  two: {env: TWO}\n";
  expect(parseRunnerFile(`${BASE}${secrets}`, "r.yaml").secrets).toEqual({
    one: { vault: { path: "ci/registry", field: "token" } },
    two: { env: "TWO" },
  });
});

test("an unknown key is refused where it stands, with the key that was meant, at every depth", () => {
  expect(refusal(`${BASE}controlerUrl: http://x\n`)).toEqual({
    code: "schema_violation",
    message: "r.yaml:3:1: controlerUrl: unknown field; did you mean controllerUrl?",
    hint: "the keys are listed in docs/13-runner.md",
  });
  expect(refusal(`${BASE}tls:\n  sertificate: /x\n`).message).toBe(
    "r.yaml:4:3: tls.sertificate: unknown field; did you mean certificate?",
  );
  expect(refusal(`${BASE}vault: {address: "https://v", tokenFile: /t, namespaces: a}\n`).message).toContain(
    "vault.namespaces: unknown field; did you mean namespace?",
  );
});

test("a secret is a reference or the file is refused, without a word of it in the message", () => {
  for (const written of ["hunter2-plain", "{value: hunter2-plain}", "{env: A, file: /hunter2-plain}"]) {
    const { message, hint } = refusal(`${BASE}secrets:\n  deploy: ${written}\n`);
    expect(message).toBe("r.yaml:4:3: secrets.deploy is not a reference to a secret");
    expect(hint).toContain("{vault: {path, field}}");
  }
});

test("duplicate keys, aliases, another version, other types and what is missing are refused", () => {
  for (const [text, part] of [
    [`${BASE}runnerId: other\n`, "unique"],
    ["version: 2\nrunnerId: a\n", "version"],
    ["runnerId: a\n", "version: is missing"],
    ["version: 1\n", "runnerId: is missing"],
    [`${BASE}slots: many\n`, "slots"],
    [`${BASE}slots: 0\n`, "slots"],
    [`${BASE}healthAddress: 0.0.0.0:9464\n`, "healthAddress"],
    [`${BASE}dataDirectory: relative\n`, "dataDirectory"],
    ["[]", "the file"],
    ["", "the file"],
  ] as const)
    expect(refusal(text).message).toContain(part);
  expect(() => parseRunnerFile(`${BASE}a: &x 1\nb: *x\n`, "r.yaml")).toThrow();
});
