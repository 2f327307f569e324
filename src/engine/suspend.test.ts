import { expect, test } from "bun:test";
import { Drive, shell } from "../../test/support/engine-drive.ts";

const record = { exitCode: 0, output: null, artifacts: [], summary: "", stdout: "out" };

test("a suspended instance holds what comes, begins nothing, and takes it in order when it goes on", () => {
  const drive = new Drive([{ a: shell() }, { b: { set: { n: "${ . }" } } }, { c: { wait: "PT1S" } }]);
  drive.put({ kind: "suspend", reason: "maintenance" });
  expect(drive.instance.status).toBe("suspended");
  drive.put({ kind: "suspend", reason: "again" }).succeed(record);
  expect(drive.instance.status).toBe("suspended");
  expect(drive.steps).toEqual(["a"]);
  drive.put({ kind: "resume" });
  expect(drive.steps).toEqual(["a", "b", "c"]);
  expect(drive.instance.status).toBe("waiting");
  expect(drive.instance.held).toBeUndefined();
  drive.fire();
  expect(drive.instance.status).toBe("completed");
  const told = drive.transitions.filter(({ event }) => /suspended|resumed/.test(event));
  expect(told.map(({ event, step_id }) => [event, step_id])).toEqual([
    ["run.suspended", null],
    ["step.suspended", "a"],
    ["run.resumed", null],
    ["step.resumed", "a"],
  ]);
  drive.expectFold();
});

test("a timeout that comes while it is suspended takes effect when it goes on", () => {
  const drive = new Drive([{ a: { wait: "PT10S", timeout: { after: "PT1S" } } }]);
  const timeout = drive.effect("timer", 0);
  drive.put({ kind: "suspend", reason: "" }).put({ kind: "timer", effect: timeout.id });
  expect(drive.instance.status).toBe("suspended");
  drive.put({ kind: "resume" });
  expect(drive.instance.error).toMatchObject({ status: 408 });
});

test("a suspended instance can be cancelled, and resuming one that is not suspended changes nothing", () => {
  const drive = new Drive([{ a: shell() }]);
  const before = drive.snapshot;
  drive.put({ kind: "resume" });
  expect(drive.snapshot).toBe(before);
  drive.put({ kind: "suspend", reason: "" }).put({ kind: "cancel", reason: "enough" });
  expect(drive.instance.status).toBe("cancelled");
});
