import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Store } from "../store.ts";
import { appendEvents, type EventRow, listEvents } from "./events.ts";

const directory = mkdtempSync(join(tmpdir(), "events-"));
const store = Store.open(join(directory, "lightflow.db"));
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const line = (event: string, step: string | null, detail: EventRow["detail"]): EventRow => ({
  event,
  step_id: step,
  reference: step === null ? null : `/do/0/${step}`,
  detail,
});
const begun = (step: string, kind = "set") => line("step.started", step, { kind });
const ended = (step: string, ms = 0) => line("step.succeeded", step, { duration_ms: ms });

test("every line is read as it was written, whatever stands beside it, and from any position", async () => {
  const rows = [
    line("run.created", null, { workflow: "w" }),
    line("run.started", null, null),
    begun("a"),
    ended("a"),
    begun("outer", "do"),
    begun("b"),
    ended("b", 7),
    ended("outer", 7),
    begun("c"),
    ended("d"),
    line("step.started", "e", { kind: "set", more: 1 }),
    ended("e"),
    begun("f"),
    line("step.succeeded", "f", { duration_ms: 1, cached: true }),
    line("step.started", "g", null),
    ended("g"),
    begun("h"),
    { ...ended("h"), reference: "/do/1/h" },
    line("step.started", "i", {}),
    line("step.succeeded", "i", {}),
    begun("j"),
  ];
  await store.write((tx) => appendEvents(tx, "i", 5, rows), null);
  await store.write((tx) => appendEvents(tx, "i", 6, [ended("j"), begun("k"), ended("k")]), null);
  const all = [...rows, ended("j"), begun("k"), ended("k")];
  const list = (after: number, limit: number) =>
    store.read(listEvents, { instanceId: "i", runId: "r", after, limit });
  const expected = all.map((row, at) => ({ seq: at + 1, ts: at < rows.length ? 5 : 6, run_id: "r", ...row }));
  for (const after of all.keys()) {
    expect(list(after, 1000)).toEqual(expected.slice(after));
    expect(list(after, 3)).toEqual(expected.slice(after, after + 3));
  }
});
