/**
 * Sweeps a prepared scene and dies by SIGKILL at one of its steps: at a commit, before it or after it and before its
 * answer, or at a change of a file. Arguments: the directory, and which step.
 */
import { StatementCache } from "../../src/store/operation.ts";
import { openScene, sweepSteps } from "./sweep-scene.ts";

const [, , directory, at] = process.argv as [string, string, string, string];
let steps = 0;
const step = (): void => {
  if (steps++ === Number(at)) process.kill(process.pid, "SIGKILL");
};
const scene = openScene(directory);
const run = StatementCache.prototype.run;
StatementCache.prototype.run = function (sql, ...values) {
  if (sql !== "COMMIT") return run.call(this, sql, ...values);
  step();
  const changed = run.call(this, sql, ...values);
  step();
  return changed;
};
await sweepSteps(scene, step);
await scene.store.close();
console.log(steps);
