import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { exampleLease } from "../../protocol/example.ts";
import { effectiveConfig } from "../config.ts";
import { checkContent } from "./admit.ts";

const digest = `sha256:${"a".repeat(64)}`;
const config = (more: object) =>
  effectiveConfig({
    tenantId: "default",
    runnerId: "r1",
    hostId: "h",
    runnerPools: ["default"],
    executionProfiles: ["default"],
    dataDirectory: tmpdir(),
    slots: 1,
    ...more,
  });

test("a runner with a list of templates takes only what was made from one of them", () => {
  const own = config({ commandTemplates: [digest] });
  expect(() => checkContent(exampleLease(), own)).toThrow("the lease names none");
  const other = exampleLease({
    commandTemplateId: "build",
    commandTemplateDigest: `sha256:${"b".repeat(64)}`,
  });
  expect(() => checkContent(other, own)).toThrow("the template build");
  checkContent(exampleLease({ commandTemplateId: "build", commandTemplateDigest: digest }), own);
  checkContent(exampleLease(), config({}));
});

test("the hash of the allow-list changes with its templates", () => {
  const hashes = [config({}), config({ commandTemplates: [digest] }), config({ commands: ["git"] })];
  expect(new Set(hashes.map(({ commandAllowlistHash }) => commandAllowlistHash)).size).toBe(3);
});

test("a lease whose secret policy is none brings no secret", () => {
  const task = {
    type: "run.shell" as const,
    command: "true",
    arguments: [],
    environment: { KEY: "runner-secret://x" },
  };
  expect(() => checkContent(exampleLease({ task, secretPolicy: "none" }), config({}))).toThrow(
    "secret policy is none",
  );
  checkContent(exampleLease({ task, secretPolicy: "task-scoped" }), config({}));
});
