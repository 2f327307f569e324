import { join } from "node:path";
import type { PublishableAgent } from "../../agents/index.ts";
import { isoTime } from "../../base/clock.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { Log } from "../../base/log.ts";
import { type HostCalls, type HostRunner, openHost } from "../../host/host.ts";
import { callTarget, policyTasks } from "../../policy/index.ts";
import { callOperation, service } from "../../service/index.ts";
import { publishAgent } from "../../store/index.ts";
import { featuresOf, type LoadedDocument, type WorkflowDocument } from "../../workflow/index.ts";
import { openRunDirectory } from "../run-directory.ts";

export interface RunDocument {
  readonly loaded: LoadedDocument;
  readonly input: Json;
  /** Those that it may call by their names. */
  readonly agents?: readonly PublishableAgent[];
  readonly log: Log;
  /** For tasks that a runner does; none is started for a document without such tasks. */
  readonly runner: HostRunner;
  readonly calls: HostCalls;
  /** Cancels the run. */
  readonly stop?: AbortSignal;
}

export interface TaskReport {
  name: string;
  /** JSON pointer, with the iteration and the visit where there is more than one. */
  reference: string;
  status: "running" | "completed" | "faulted" | "cancelled" | "skipped";
  started_at: string;
  ended_at: string | null;
}

export interface DocumentReport {
  status: "completed" | "faulted" | "cancelled";
  output: Json;
  error: JsonObject | null;
  /** In the order in which they started. */
  tasks: TaskReport[];
}

const RUN_ID = "run";
const WAIT_MS = 20_000;

/**
 * Execute one document to its end, with every role in this process over a store that lives as long as the run.
 * @throws Failure `unsupported` naming what the build cannot run
 */
export async function runDocument(options: RunDocument): Promise<DocumentReport> {
  const { loaded } = options;
  const directory = openRunDirectory();
  const place = (name: string) => join(directory.path, name);
  try {
    const host = await openHost({
      paths: {
        config: place("config"),
        state: place("state"),
        cache: place("cache"),
        runtime: place("runtime"),
      },
      log: options.log,
      root: directory.path,
      listen: null,
      runner: startsPrograms(loaded.document) ? options.runner : null,
      calls: options.calls,
    });
    try {
      return await runOn(host.context, options);
    } finally {
      await host.stop();
    }
  } finally {
    directory.close();
  }
}

const startsPrograms = (document: WorkflowDocument): boolean =>
  [...featuresOf(document)].some(({ feature }) => feature.startsWith("run.")) ||
  [...policyTasks(document as unknown as JsonObject)].some(({ task }) => callTarget(task).program !== null);

type Context = Awaited<ReturnType<typeof openHost>>["context"];

async function runOn(
  context: Context,
  { loaded, input, agents = [], stop }: RunDocument,
): Promise<DocumentReport> {
  const document = loaded.document as unknown as JsonObject;
  const { name } = loaded.document.document;
  const { tenantId } = context;
  const publication = { tenantId, actor: context.principal.subject, now: context.clock.wall() };
  await Promise.all(agents.map((each) => context.records.write(publishAgent, { ...publication, ...each })));
  await callOperation(service.startDocument, context, {
    tenantId: context.tenantId,
    runId: RUN_ID,
    idempotent: false,
    sourceEventId: null,
    workflow: name,
    assetId: null,
    document,
    digest: loaded.digest,
    input,
  });
  const wait = (signal?: AbortSignal) =>
    callOperation(service.waitRun, context, { run_id: RUN_ID, wait_ms: WAIT_MS }, signal);
  let view = await wait(stop);
  while (view.finished_at === null) {
    if (stop?.aborted) {
      await callOperation(service.cancelRun, context, { run_id: RUN_ID, reason: "stopped by its user" });
      view = await wait();
    } else view = await wait(stop);
  }
  return {
    status: view.phase as DocumentReport["status"],
    output: view.output,
    error: view.error,
    tasks: await tasksOf(context),
  };
}

const ENDS: Readonly<Record<string, TaskReport["status"]>> = {
  "step.succeeded": "completed",
  "step.failed": "faulted",
  "step.cancelled": "cancelled",
};

async function tasksOf(context: Context): Promise<TaskReport[]> {
  const tasks = new Map<string, TaskReport>();
  let end = isoTime(0);
  for (let after = 0; ; ) {
    const { events } = await callOperation(service.getEvents, context, {
      run_id: RUN_ID,
      after,
      limit: 1000,
    });
    if (events.length === 0) break;
    after = events.at(-1)!.seq;
    for (const { event, step_id, reference, ts } of events) {
      end = ts;
      if (reference === null || step_id === null) continue;
      if (event === "step.started" || event === "step.skipped") {
        const skipped = event === "step.skipped";
        const status = skipped ? "skipped" : "running";
        tasks.set(reference, {
          name: step_id,
          reference,
          status,
          started_at: ts,
          ended_at: skipped ? ts : null,
        });
      }
      const task = tasks.get(reference);
      const status = ENDS[event];
      if (task !== undefined && status !== undefined) Object.assign(task, { status, ended_at: ts });
    }
  }
  // What the end of the workflow itself took away (`then: end`, a cancelled run) has no line of its own.
  for (const task of tasks.values())
    if (task.status === "running") Object.assign(task, { status: "cancelled", ended_at: end });
  return [...tasks.values()];
}
