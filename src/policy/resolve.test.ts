import { expect, test } from "bun:test";
import { LOCAL_PROFILE } from "./profile.ts";
import { policyRequest, resolvePolicy, snapshotPolicy } from "./resolve.ts";

const snapshot = (workflow = {}) => snapshotPolicy(LOCAL_PROFILE, workflow).body;

test("without requests a task gets the profile's strictest", () => {
  expect(resolvePolicy(snapshot(), {})).toMatchObject({
    network: "deny-all",
    sandboxMode: "none",
    runnerPool: "default",
  });
});

test("a stricter sandbox is granted, a weaker one than the workflow's is refused with the layer's name", () => {
  const strict = snapshot({ sandboxMode: "per-agent-call" });
  expect(resolvePolicy(strict, { sandboxMode: "per-publish" }).sandboxMode).toBe("per-publish");
  expect(() => resolvePolicy(strict, { sandboxMode: "none" })).toThrow(
    "the task asks for the weaker sandbox none",
  );
});

test("what the profile does not list is refused, at the start when the workflow asks", () => {
  expect(() => snapshot({ capabilities: ["event-importer"] })).toThrow(
    "the workflow asks for the capability event-importer",
  );
  expect(() => resolvePolicy(snapshot(), { runnerPool: "release" })).toThrow(
    "the task asks for the pool release",
  );
  expect(() => resolvePolicy(snapshot({ network: "deny-all" }), { network: "open" })).toThrow(
    "wider network",
  );
});

test("the digest changes with any part and not with key order", () => {
  const digest = snapshotPolicy(LOCAL_PROFILE, { capabilities: ["git"] }).digest;
  expect(snapshotPolicy({ ...LOCAL_PROFILE }, { capabilities: ["git"] }).digest).toBe(digest);
  expect(snapshotPolicy(LOCAL_PROFILE, { capabilities: ["sh"] }).digest).not.toBe(digest);
  expect(snapshotPolicy({ ...LOCAL_PROFILE, version: 2 }, { capabilities: ["git"] }).digest).not.toBe(digest);
});

test("the request is read from the places of the seed document", () => {
  expect(
    policyRequest({
      runner: { runnerPool: "release", commandTemplateId: "build" },
      security: { sandbox: { mode: "workflow-session" } },
    }),
  ).toEqual({ runnerPool: "release", commandTemplateId: "build", sandboxMode: "workflow-session" });
});
