import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listChunks } from "../../store/index.ts";
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
  output: closed({ chunks: Type.Array(LogChunk), finished: Type.Boolean() }),
  async run(context, input, signal): Promise<{ chunks: LogLine[]; finished: boolean }> {
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
    return { chunks, finished };
  },
});
