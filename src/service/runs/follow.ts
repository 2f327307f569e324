import { findRun, type InstanceRow, type Topic } from "../../store/index.ts";
import { type ServiceContext, waitFor } from "../context.ts";
import { isFinished, runView } from "./view.ts";

/**
 * What stands after a position of a run; where there is nothing yet and the run goes on, after a hint or `waitMs`.
 * Whether the run has ended is read before the rows: none can come after that are not among them.
 */
export async function readOrWait<Row>(
  context: ServiceContext,
  runId: string,
  wait: { topic: Topic; waitMs: number | undefined; signal: AbortSignal },
  read: (run: InstanceRow) => Row[],
): Promise<{ rows: Row[]; finished: boolean }> {
  const look = () => {
    const run = context.views.read(findRun, { tenantId: context.tenantId, runId });
    return { run, finished: isFinished(runView(run).status), rows: read(run) };
  };
  const first = look();
  const { waitMs = 0 } = wait;
  if (first.rows.length > 0 || first.finished || waitMs === 0) return first;
  await waitFor(context.views, [wait.topic, "instance"], first.run.id, waitMs, wait.signal);
  return look();
}
