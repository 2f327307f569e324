import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { gateway } from "../../../test/support/gateway.ts";
import { callOperation, service } from "../../service/index.ts";
import { listInputs } from "../index.ts";
import { archiveHistories } from "./archive-histories.ts";

const rowsLeft = (g: Awaited<ReturnType<typeof gateway>>) =>
  g.host.context.views.read(
    (tx) =>
      tx.get<{ n: number }>(
        "SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM instance_input) AS n",
      ),
    null,
  )!.n;

test("a history moves into an artifact once its run has ended long ago, and reads from there as before", async () => {
  const g = await gateway();
  const { context } = g.host;
  for (const run of ["one", "two"])
    await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: run } });
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.slow", run_id: "slow" } });
  const events = async (run: string, after = 0) =>
    ((await g.json(`/runs/${run}/events?after=${after}&limit=2`)).body as { events: object[] }).events;
  const { instance_id } = (await g.json("/runs/one")).body as { instance_id: string };
  const before = [await events("one"), await events("one", 2), await events("one", 100)];
  const inputs = context.views.read(listInputs, { instanceId: instance_id });
  const steps = (await g.json("/runs/one/steps")).body;
  const compact = (days: number) => callOperation(service.compactStore, context, { older_than_days: days });
  expect(await compact(1)).toEqual({ moved: 0, bytes: 0 });
  await Bun.sleep(2);
  const all = rowsLeft(g);
  expect(await compact(0)).toMatchObject({ moved: 2 });
  expect(rowsLeft(g)).toBeLessThan(all);
  expect(await compact(0)).toEqual({ moved: 0, bytes: 0 });
  expect([await events("one"), await events("one", 2), await events("one", 100)]).toEqual(before);
  expect(context.views.read(listInputs, { instanceId: instance_id })).toEqual(inputs);
  expect((await g.json("/runs/one/steps")).body).toEqual(steps as never);
  // What has not ended stays where it is advanced.
  expect((await events("slow")).length).toBe(2);
  const row = context.views.read(
    (tx) =>
      tx.get<{ sha256: string }>("SELECT sha256 FROM history_archive WHERE instance_id <> ?", instance_id),
    null,
  )!;
  rmSync(context.artifacts.path(row.sha256));
  expect(await g.json("/runs/two/events")).toMatchObject({
    status: 404,
    body: { code: "artifact_not_found" } as never,
  });
  // The store is closed with its histories folded: the one whose bytes are gone could not be.
  await context.records.write(
    (tx) => tx.run("DELETE FROM history_archive WHERE sha256 = ?", row.sha256),
    null,
  );
  await context.records.write((tx) => tx.run("DELETE FROM instance WHERE run_id = 'two'"), null);
});

test("a history that was advanced meanwhile is not taken away", async () => {
  const g = await gateway();
  const { views, records, artifacts } = g.host.context;
  await g.json("/runs/start", { json: { workflow_asset_id: "workflow.now", run_id: "one" } });
  const before = rowsLeft(g);
  const late: typeof artifacts = {
    ...artifacts,
    async put(data, ...rest) {
      await records.write(
        (tx) =>
          tx.run(
            "INSERT INTO event (instance_id, last_seq, ts, lines) SELECT id, 999, 0, '[]' FROM instance",
          ),
        null,
      );
      return await artifacts.put(data, ...rest);
    },
  };
  const moved = await archiveHistories({
    store: { read: (q, i) => views.read(q, i), write: (o, i) => records.write(o, i) },
    artifacts: late,
    endedBefore: Date.now() + 1000,
    now: Date.now(),
  });
  expect(moved).toEqual({ moved: 0, bytes: 0 });
  expect(rowsLeft(g)).toBe(before + 1);
});
