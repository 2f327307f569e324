import { expect, test } from "bun:test";
import { stage as bareStage, documentOf, startDocument } from "../../test/support/orchestrator.ts";
import { until } from "../../test/support/until.ts";
import type { Json } from "../base/json.ts";
import { listInputs, listOperatorTasks } from "../store/index.ts";
import type { Orchestrator } from "./index.ts";

function stage() {
  const { row, ...rest } = bareStage();
  const start = (by: Orchestrator, runId: string, tasks: Json[]) =>
    startDocument(by, runId, documentOf(tasks));
  return { ...rest, start, run: row };
}

const minute = { wait: { minutes: 1 } };

test("F65: timers that were due while nobody ran fire once each, in the order of their time", async () => {
  const { store, clock, orchestrator, start, run } = stage();
  const first = orchestrator();
  for (let n = 0; n < 450; n++) await start(first, `r${n}`, [{ p: minute }, { q: minute }]);
  first.stop();
  clock.advance(3_600_000);
  orchestrator();
  await until(() => run("r449").input_seq === 2 && run("r0").input_seq === 2);
  clock.advance(60_000);
  await until(() => run("r449").status === "completed" && run("r0").status === "completed");
  for (const runId of ["r0", "r200", "r449"]) {
    const inputs = store.read(listInputs, { instanceId: run(runId).id });
    expect(inputs.map(({ body }) => (body as { kind: string }).kind)).toEqual(["start", "timer", "timer"]);
  }
});

test("a timer whose instance cannot be advanced waits for an operator, and the others fire", async () => {
  const { store, clock, orchestrator, start, run } = stage();
  const made = orchestrator();
  // The state that it would have does not fit, and no task waits that could hear so.
  await start(made, "stuck", [{ p: minute }, { big: { set: { text: "x".repeat(900_000) } } }, { q: minute }]);
  for (let n = 0; n < 5; n++) await start(made, `r${n}`, [{ p: minute }]);
  clock.advance(60_000);
  await until(() => run("r4").status === "completed" && run("r0").status === "completed");
  const open = () => store.read(listOperatorTasks, { tenantId: "default", all: false });
  await until(() => open().length === 1);
  expect(open()).toMatchObject([{ kind: "stuck_timer", body: { run_id: "stuck" } }]);
  expect(run("stuck")).toMatchObject({ status: "waiting", input_seq: 1 });
  // It is tried again, and an operator can end it.
  clock.advance(60_000);
  await Bun.sleep(20);
  expect(open()).toHaveLength(1);
  expect(await made.cancel("default", "stuck", "too large")).toBe("cancelled");
});

test("F66: a run goes on with the definition that it was started with, whatever was published since", async () => {
  const { clock, orchestrator, start, run } = stage();
  const first = orchestrator();
  await start(first, "old", [{ p: minute }, { s: { set: { version: "old" } } }]);
  first.stop();
  const second = orchestrator();
  await start(second, "new", [{ p: minute }, { s: { set: { version: "new" } } }]);
  clock.advance(60_000);
  await until(() => run("old").status === "completed" && run("new").status === "completed");
  const output = (runId: string) => (JSON.parse(run(runId).snapshot) as { output: Json }).output;
  expect([output("old"), output("new")]).toEqual([{ version: "old" }, { version: "new" }]);
});
