import { fail } from "../../base/errors.ts";
import type { Operation, Query } from "../operation.ts";
import { findLease, type LeaseCaller, whyEnded } from "./live.ts";

export interface ChunkInput extends LeaseCaller {
  stream: string;
  seq: number;
  size: number;
  sha256: string;
  final: boolean;
  position: number;
}

export interface StreamEnd {
  nextSeq: number;
  position: number;
  final: boolean;
}

/** Where a stream of a lease stands. */
export const streamEnd: Query<{ leaseId: string; stream: string }, StreamEnd> = (tx, { leaseId, stream }) => {
  const last = tx.get<{ seq: number; position: number; size: number; final: number }>(
    "SELECT seq, position, size, final FROM log_chunk WHERE lease_id = ? AND stream = ? ORDER BY seq DESC LIMIT 1",
    leaseId,
    stream,
  );
  return last === undefined
    ? { nextSeq: 0, position: 0, final: false }
    : { nextSeq: last.seq + 1, position: last.position + last.size, final: last.final === 1 };
};

/** Whether a lease may write, before any byte is spooled. */
export const mayLog: Query<LeaseCaller, { instanceId: string }> = (tx, caller) => {
  const lease = findLease(tx, caller);
  const ended = whyEnded(lease, caller.now);
  if (ended !== null) throw ended;
  return { instanceId: lease.instance_id };
};

/** Note a chunk whose bytes are already in the spool file, fsynced. @returns the next expected seq */
export const appendChunk: Operation<ChunkInput, number> = (tx, input) => {
  const lease = findLease(tx, input);
  const ended = whyEnded(lease, input.now);
  if (ended !== null) throw ended;
  const end = streamEnd(tx, input);
  if (input.seq < end.nextSeq) return end.nextSeq;
  if (input.seq > end.nextSeq || input.position !== end.position || end.final) {
    throw fail("log_gap", `the next chunk is ${end.nextSeq}`, { details: { nextSeq: end.nextSeq } });
  }
  tx.run(
    "INSERT INTO log_chunk (lease_id, stream, seq, position, size, sha256, final, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    lease.id,
    input.stream,
    input.seq,
    input.position,
    input.size,
    input.sha256,
    input.final ? 1 : 0,
    input.now,
  );
  tx.notify("log", lease.instance_id);
  return input.seq + 1;
};

export interface ChunkRow {
  id: number;
  lease_id: string;
  step_id: string;
  attempt: number;
  stream: string;
  seq: number;
  position: number;
  size: number;
  final: number;
  received_at: number;
}

/** Chunks of a run after a position, in the order they were acknowledged. */
export const listChunks: Query<
  { instanceId: string; stepId: string | null; after: number; limit: number },
  ChunkRow[]
> = (tx, input) =>
  tx.all<ChunkRow>(
    `SELECT chunk.id, chunk.lease_id, request.step_id, lease.attempt, chunk.stream, chunk.seq, chunk.position, chunk.size,
       chunk.final, chunk.received_at
     FROM request JOIN lease ON lease.request_id = request.id JOIN log_chunk AS chunk ON chunk.lease_id = lease.id
     WHERE request.instance_id = ? AND chunk.id > ? AND (? IS NULL OR request.step_id = ?) ORDER BY chunk.id LIMIT ?`,
    input.instanceId,
    input.after,
    input.stepId,
    input.stepId,
    input.limit,
  );

export interface CutStream {
  step_id: string;
  attempt: number;
  stream: string;
}

/** Streams of attempts that are over, whose end was never received: what is stored of them is not all. */
export const listCutStreams: Query<{ instanceId: string; stepId: string | null }, CutStream[]> = (
  tx,
  { instanceId, stepId },
) =>
  tx.all<CutStream>(
    `SELECT request.step_id, lease.attempt, chunk.stream
     FROM request JOIN lease ON lease.request_id = request.id JOIN log_chunk AS chunk ON chunk.lease_id = lease.id
     WHERE request.instance_id = ? AND (?2 IS NULL OR request.step_id = ?2) AND lease.state NOT IN ('leased', 'started')
     GROUP BY lease.id, chunk.stream HAVING max(chunk.final) = 0 ORDER BY lease.id, chunk.stream`,
    instanceId,
    stepId,
  );
