import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { exampleLease } from "../../protocol/example.ts";
import type { AgentWork } from "../../protocol/index.ts";
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

test("an artifact that could not be handed over is refused before anything runs", () => {
  for (const path of ["../x", "/etc/passwd", "a/../../b", "a//b", "a\\b", ".."])
    expect(() => checkContent(exampleLease({ artifacts: [{ path }] }), config({}))).toThrow(
      "stay in the workspace",
    );
  checkContent(exampleLease({ artifacts: [{ path: "dist/**/*.tar" }] }), config({}));
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

test("an agent's programs are held to the runner's own lists, and a secret of its servers stands beside nothing that a model runs", () => {
  const template = { id: "count", executable: "/usr/bin/wc" };
  const server = {
    name: "notes",
    command: "/opt/notes",
    arguments: [],
    environment: {},
    secrets: {},
    pins: {},
    timeoutMs: 1000,
  };
  const agent = (more: Partial<AgentWork>) =>
    exampleLease({
      agent: {
        name: "a",
        modelProviderScope: "tenant",
        dataBoundary: "tenant-network",
        instructions: "",
        prompt: "",
        allowedTools: ["run"],
        commands: [],
        budgets: { turns: 1, tokens: 1, bytes: 1 },
        protectedPaths: [],
        ...more,
      },
    });
  const commands = [{ name: "test", command: "npm", arguments: [] }];
  const programs = config({ commands: ["npm", "/usr/bin/wc"] });
  checkContent(agent({ commands, templates: [{ name: "count", digest, template }] }), programs);
  expect(() => checkContent(agent({ mcpServers: [server] }), programs)).toThrow("/opt/notes is not in");
  const approved = config({ commandTemplates: [digest] });
  checkContent(agent({ templates: [{ name: "count", digest, template }] }), approved);
  checkContent(agent({ mcpServers: [{ ...server, commandTemplateDigest: digest }] }), approved);
  for (const more of [
    { commands },
    { mcpServers: [server] },
    { templates: [{ name: "count", digest: `sha256:${"b".repeat(64)}`, template }] },
  ])
    expect(() => checkContent(agent(more), approved)).toThrow("approved command templates alone");

  const secret = { ...server, secrets: { TOKEN: "AGENT_SECRET_0" } };
  checkContent(agent({ allowedTools: ["read"], mcpServers: [secret] }), config({}));
  expect(() => checkContent(agent({ mcpServers: [secret] }), config({}))).toThrow("could read it");
  const verify = { command: "test", repairAttempts: 1 };
  const repair = agent({ allowedTools: ["read"], commands, verify, mcpServers: [secret] });
  expect(() => checkContent(repair, config({}))).toThrow("could read it");
  for (const wrong of [{ secrets: { LD_PRELOAD: "AGENT_SECRET_0" } }, { environment: { LD_PRELOAD: "x" } }])
    expect(() =>
      checkContent(agent({ allowedTools: [], mcpServers: [{ ...server, ...wrong }] }), config({})),
    ).toThrow("LD_PRELOAD");
});
