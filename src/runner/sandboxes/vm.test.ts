import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Admission, Registration } from "../../protocol/index.ts";
import { approvedFacts, factsOf, offerFor } from "../../store/runners/admission.ts";
import { effectiveConfig } from "../config.ts";
import { runToEnd, sandboxConformance, shellRequest } from "./conformance.ts";
import { vmSandbox } from "./vm.ts";

const data = realpathSync(mkdtempSync(join(tmpdir(), "vm sandbox ")));
afterAll(() => rmSync(data, { recursive: true, force: true }));
const provider = vmSandbox(data, null, "image-7");
sandboxConformance("vm", async () => provider, join(data, "workspaces"));

test("a prepared machine is the boundary of a session, never of one call, and closes no network", async () => {
  const root = join(data, "workspaces");
  const session = shellRequest(root, "echo in the machine", { mode: "workflow-session", network: "open" });
  expect((await runToEnd(provider, session)).stdout).toBe("in the machine\n");
  for (const wish of [
    { mode: "per-agent-call", network: "open" },
    { mode: "per-publish", network: "open" },
    { mode: "workflow-session", network: "deny-all" },
    { mode: "workflow-session", network: "allowlisted" },
  ] as const)
    expect(provider.prepare(shellRequest(root, "true", wish))).rejects.toMatchObject({
      code: "feature_unsupported",
    });
});

test("a machine counts only where an operator named both its image and its executable", () => {
  const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
  const asked = {
    runnerKind: "local",
    vmImageId: "image-7",
    binaryDigest: digest("a"),
    configHash: digest("b"),
    commandAllowlistHash: digest("c"),
    workspacePolicy: "per-lease",
    networkZone: "default",
    secretPolicy: "task-scoped",
    modelProviderScopes: [],
    mounts: [],
    runnerPools: [],
    executionProfiles: [],
    capabilities: [],
    slots: 1,
    sandbox: {
      modes: ["none", "workflow-session"],
      providers: [{ provider: "vm", template: "image-7", boundary: "micro-vm", features: [] }],
    },
  } as unknown as Registration;
  const offered = (said: Partial<Admission>) => {
    const admission = {
      runnerPools: [],
      executionProfiles: [],
      capabilities: [],
      slots: 1,
      ...said,
    } as unknown as Admission;
    return offerFor(asked, admission, approvedFacts(admission, factsOf(asked)));
  };
  const attested = offered({ vmImageId: "image-7", binaryDigest: digest("a") });
  expect(attested.sandboxProviders).toHaveLength(1);
  expect(attested.sandboxModes).toEqual(["none", "workflow-session"]);
  for (const said of [
    {},
    { vmImageId: "image-7" },
    { binaryDigest: digest("a") },
    { vmImageId: "image-8", binaryDigest: digest("a") },
  ]) {
    expect(offered(said).sandboxProviders).toEqual([]);
    expect(offered(said).sandboxModes).toEqual(["none"]);
  }
});

test("a configuration says all that its kind of sandbox needs, and nothing that would leak", () => {
  const base = {
    runnerId: "r",
    tenantId: "t",
    hostId: "h",
    runnerPools: ["p"],
    executionProfiles: ["e"],
    dataDirectory: "/data",
    slots: 1,
  };
  const kubernetes = {
    apiServer: "https://cluster:6443",
    namespace: "tasks",
    image: `registry.example/task@sha256:${"0".repeat(64)}`,
    volumeClaim: "data",
  };
  const cube = { url: "https://api.e2b.app", keyReference: "key", template: "base" };
  const secrets = { key: { env: "E2B_API_KEY" } };
  expect(effectiveConfig({ ...base, sandbox: "kubernetes", kubernetes }).kubernetes).toEqual(kubernetes);
  expect(effectiveConfig({ ...base, sandbox: "cubesandbox", cube, secrets }).cube).toEqual(cube);
  for (const wrong of [
    { sandbox: "kubernetes" },
    { sandbox: "cubesandbox" },
    { sandbox: "vm" },
    { sandbox: "cubesandbox", cube },
    { sandbox: "kubernetes", kubernetes: { ...kubernetes, image: "registry.example/task:latest" } },
    { sandbox: "kubernetes", kubernetes: { ...kubernetes, apiServer: "http://cluster" } },
    { sandbox: "kubernetes", kubernetes: { ...kubernetes, token: "in the file" } },
    { sandbox: "cubesandbox", secrets, cube: { ...cube, url: "http://api.e2b.app" } },
    { sandbox: "cubesandbox", secrets, cube: { ...cube, key: "e2b_1234" } },
  ])
    expect(() => effectiveConfig({ ...base, ...wrong })).toThrow();
});
