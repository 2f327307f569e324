import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentWork } from "../../protocol/index.ts";
import { createRedaction } from "../../redaction/index.ts";
import { openBroker } from "./broker.ts";

const work: AgentWork = {
  agent: "a",
  digest: `sha256:${"0".repeat(64)}`,
  instructions: "",
  prompt: "",
  allowedTools: ["read"],
  commands: [],
  budgets: { turns: 1, tokens: 1, bytes: 1000 },
  protectedPaths: [],
} as never;

test("what runs beside an agent keeps its runner from nothing by calls that no model asked for", async () => {
  const directory = mkdtempSync(join(tmpdir(), "broker-"));
  const files = { journal: join(directory, "agent.jsonl"), directory: join(directory, "broker") };
  const never = async () => await Promise.reject(new Error("no model"));
  const broker = await openBroker(
    work,
    "lease",
    files,
    createRedaction([]),
    never,
    new AbortController().signal,
  );
  try {
    const call = async () =>
      (
        await fetch("http://broker/tool", {
          unix: broker.socket,
          method: "POST",
          headers: { "x-nonce": broker.nonce },
          body: JSON.stringify({ id: "1", name: "read", arguments: "{}" }),
        })
      ).status;
    // As many as an answer may ask for.
    for (let round = 0; round < 64; round++) expect(await call()).toBe(200);
    let calls = 64;
    while (calls < 500 && (await call()) === 200) calls++;
    expect(calls).toBeLessThan(250);
    expect(broker.failure()?.code).toBe("agent_budget_exhausted");
  } finally {
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test("what runs beside an agent fills no disk by its broker: a transcript that is too long ends the call", async () => {
  const directory = mkdtempSync(join(tmpdir(), "broker-"));
  const journal = join(directory, "agent.jsonl");
  const files = { journal, directory: join(directory, "broker") };
  const never = async () => await Promise.reject(new Error("no model"));
  const signal = new AbortController().signal;
  const broker = await openBroker(work, "lease", files, createRedaction([]), never, signal);
  try {
    const call = () =>
      fetch("http://broker/tool", {
        unix: broker.socket,
        method: "POST",
        headers: { "x-nonce": broker.nonce },
        body: JSON.stringify({ id: "1", name: "read", arguments: "x".repeat(4_000_000) }),
      });
    expect((await call()).status).toBe(200);
    expect(broker.failure()).toBeNull();
    let refused: Response | null = null;
    for (let round = 0; round < 40 && refused === null; round++) {
      const response = await call();
      if (!response.ok) refused = response;
    }
    expect(await refused!.json()).toMatchObject({ code: "agent_budget_exhausted" });
    const { size } = statSync(journal);
    await call();
    expect(statSync(journal).size).toBe(size);
    expect(size).toBeLessThan(70 * 1024 * 1024);
    expect(broker.failure()?.code).toBe("agent_budget_exhausted");
  } finally {
    await broker.close();
    rmSync(directory, { recursive: true, force: true });
  }
}, 30_000);
