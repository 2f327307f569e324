import { type Static, Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { expiredLogs, findRun, listChunks, listCutStreams } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, Limit, named, RunId, Text, Time, WaitMs } from "../shapes.ts";
import { readOrWait } from "./follow.ts";

const LogChunk = named(
  "LogChunk",
  closed({
    position: Integer,
    ts: Time,
    step_id: Text,
    attempt: Integer,
    stream: Text,
    data: Type.String({ contentEncoding: "base64" }),
    final: Type.Boolean(),
  }),
);

const CutStream = closed({ step_id: Text, attempt: Integer, stream: Text });
/** A stream of an attempt that is over, whose end was never received. */
export type CutStream = Static<typeof CutStream>;

/** A piece of a task's output. `data` is base64: a chunk may end inside a character. */
export interface LogLine {
  position: number;
  ts: string;
  step_id: string;
  attempt: number;
  stream: string;
  data: string;
  final: boolean;
}

export const getLogs = defineOperation({
  name: "run.logs",
  scope: "read",
  summary: "Output of a run's commands, after a position; may wait for more",
  method: "GET",
  path: "/runs/:run_id/logs",
  input: closed({
    run_id: RunId,
    step_id: Type.Optional(Type.String({ maxLength: 256 })),
    wait_ms: WaitMs,
    limit: Limit,
    after: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  /** `truncated` is said where there are no more chunks: what is stored of these streams is not all of them. */
  output: closed({
    chunks: Type.Array(LogChunk),
    finished: Type.Boolean(),
    truncated: Type.Array(CutStream),
  }),
  async run(
    context,
    input,
    signal,
  ): Promise<{ chunks: LogLine[]; finished: boolean; truncated: CutStream[] }> {
    const { rows, finished } = await readOrWait(
      context,
      input.run_id,
      { topic: "log", waitMs: input.wait_ms, signal },
      (run) =>
        context.views.read(listChunks, {
          instanceId: run.id,
          stepId: input.step_id ?? null,
          after: input.after ?? 0,
          limit: input.limit ?? 64,
        }),
    );
    if ((input.after ?? 0) === 0 && rows.every(({ size }) => size === 0)) refuseExpired(context, input);
    const chunks = await Promise.all(
      rows.map(async (chunk): Promise<LogLine> => {
        const bytes =
          chunk.size === 0
            ? new Uint8Array()
            : await context.logs.read(chunk.lease_id, chunk.stream, chunk.position, chunk.size);
        return {
          position: chunk.id,
          ts: isoTime(chunk.received_at),
          step_id: chunk.step_id,
          attempt: chunk.attempt,
          stream: chunk.stream,
          data: Buffer.from(bytes).toString("base64"),
          final: chunk.final === 1,
        };
      }),
    );
    const { tenantId, views } = context;
    const truncated =
      rows.length > 0
        ? []
        : views.read(listCutStreams, {
            instanceId: views.read(findRun, { tenantId, runId: input.run_id }).id,
            stepId: input.step_id ?? null,
          });
    return { chunks, finished, truncated };
  },
});

/** Nothing where there was something is said, not shown as an empty log. */
function refuseExpired(context: ServiceContext, input: { run_id: string; step_id?: string }): void {
  const run = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
  const [last] = context.views.read(expiredLogs, { instanceId: run.id, stepId: input.step_id ?? null });
  if (last === undefined) return;
  throw fail("artifact_expired", `the output of ${input.run_id} expired at ${isoTime(last.expired_at)}`, {
    hint: `lightflow artifact list --run ${input.run_id} --kind log`,
    details: { expired_at: isoTime(last.expired_at), policy_digest: last.policy_digest },
  });
}
