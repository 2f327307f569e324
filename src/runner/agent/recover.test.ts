import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../base/json.ts";
import { exampleLease } from "../../protocol/example.ts";
import type { AgentWork } from "../../protocol/index.ts";
import { createRedaction } from "../../redaction/index.ts";
import { placesAt } from "../lease/places.ts";
import type { Reporter } from "../lease/reporter.ts";
import { recoverAgent } from "./agent.ts";

const root = mkdtempSync(join(tmpdir(), "recover "));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const WORK: AgentWork = {
  name: "mender",
  modelProviderScope: "tenant",
  dataBoundary: "tenant-network",
  instructions: "",
  prompt: "",
  allowedTools: [],
  commands: [],
  prices: { input: 1, output: 1 },
  budgets: { turns: 1, tokens: 1, bytes: 1 },
  protectedPaths: [],
  copyOf: exampleLease().leaseId,
};
const USE = { turns: 1, inputTokens: 7, outputTokens: 3, costMicros: 4, bytes: 9, refusedTools: 0 };
const line = (entry: JsonObject) => `${JSON.stringify(entry)}\n`;
const ANSWERED = line({ seq: 0, kind: "model.response", use: { ...USE, repairAttempts: 0 } });

let count = 0;
/** What a runner that was killed has left of a call. */
function remains(journal: string | null, changed: string = "src/sum.js") {
  const place = join(root, String(++count));
  const work = join(place, "workspace/work");
  for (const directory of [join(place, "base"), work]) {
    mkdirSync(join(directory, "src"), { recursive: true });
    mkdirSync(join(directory, ".github"), { recursive: true });
    writeFileSync(join(directory, "src/sum.js"), "a - b\n");
  }
  writeFileSync(join(work, changed), "a + b\n");
  if (journal !== null) writeFileSync(join(place, "agent.jsonl"), journal);
  const kept: string[] = [];
  const recover = async (hasEnded: boolean) => {
    const agent = recoverAgent(
      WORK,
      { root: join(place, "workspace"), directory: work, home: join(place, "workspace/home") },
      placesAt(place),
      hasEnded,
    );
    const reporter = { artifact: async ({ sha256 }: { sha256: string }) => void kept.push(sha256) };
    return await agent?.finish(
      reporter as unknown as Reporter,
      createRedaction(["hush-hush"]),
      new AbortController().signal,
    );
  };
  return { recover, kept, transcript: () => readFileSync(join(place, "agent.jsonl"), "utf8") };
}

test("of a worker whose end nobody saw there is the transcript, marked as cut off, and no patch", async () => {
  // The kernel wrote half a line before the power went.
  const { recover, kept, transcript } = remains(`${ANSWERED}{"seq":1,"kind":"tool.ca`);
  const end = await recover(false);
  expect(end).toMatchObject({ failure: null, changedFiles: [], use: { inputTokens: 7, costMicros: 4 } });
  expect(end!.artifacts.map(({ name }) => name)).toEqual(["agent-transcript.jsonl"]);
  expect(kept).toHaveLength(1);
  expect(JSON.parse(transcript().trim().split("\n").at(-1)!)).toMatchObject({ kind: "interrupted" });
  // A runner that dies again while it recovers finds the same.
  await recover(false);
  expect(transcript().match(/"interrupted"/g)).toHaveLength(1);
  expect(kept[1]).toBe(kept[0]!);
});

test("of a worker that is known to have ended there is the patch too, looked at as ever", async () => {
  const whole = `${ANSWERED}${line({ seq: 1, kind: "closed", use: { ...USE, turns: 2 } })}`;
  const { recover, transcript } = remains(whole);
  expect(await recover(true)).toMatchObject({
    failure: null,
    changedFiles: ["src/sum.js"],
    artifacts: [{ name: "agent-transcript.jsonl" }, { name: "changes.patch" }],
    use: { turns: 2 },
  });
  expect(transcript()).toBe(whole);
  const ci = await remains(whole, ".github/ci.yml").recover(true);
  expect(ci).toMatchObject({ failure: { code: "workspace_change_denied" }, changedFiles: [] });
});

test("why its broker ended it counts after a restart too; a call that never began leaves nothing", async () => {
  const ended = line({ seq: 1, kind: "ended", code: "agent_budget_exhausted", message: "4 turns" });
  expect(await remains(`${ANSWERED}${ended}`).recover(true)).toMatchObject({
    failure: { code: "agent_budget_exhausted", message: "4 turns" },
    changedFiles: [],
  });
  expect(await remains(null).recover(true)).toBeUndefined();
});
