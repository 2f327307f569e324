/**
 * One orchestrator on a store that others work on too, without the lock that keeps hosts apart. Arguments: the directory, and
 * the counting service. Prints a line when it runs; ends with its input.
 */
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createLog } from "../../src/base/log.ts";
import { allowAll } from "../../src/calls/index.ts";
import { startWaking } from "../../src/host/wake.ts";
import { Orchestrator } from "../../src/orchestrator/index.ts";
import { Store } from "../../src/store/index.ts";

const [, , directory] = process.argv as [string, string, string];
const store = Store.open(join(directory, "store.db"));
const stopWaking = startWaking(store, join(directory, "run"));
const orchestrator = new Orchestrator({
  store,
  artifacts: openArtifacts(join(directory, "artifacts")),
  clock: systemClock,
  log: createLog("warn"),
  calls: { policy: allowAll },
});
console.log("running");
for await (const _ of Bun.stdin.stream());
orchestrator.stop();
stopWaking();
await store.close();
process.exit(0);
