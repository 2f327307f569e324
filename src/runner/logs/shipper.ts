import { LIMITS } from "../../base/limits.ts";
import { pause } from "../../base/pause.ts";
import { type Spool, unfinishedTail } from "./spool.ts";

/** Send one chunk and return the sequence number the server wants next; repeats itself while the network is down. */
export type SendChunk = (
  spool: Spool,
  seq: number,
  bytes: Uint8Array<ArrayBuffer>,
  final: boolean,
) => Promise<number>;

/**
 * Ship one stream in order, one chunk at a time, each cut by size or by time, until its final chunk is taken.
 * It begins again at the last recorded cut after a restart, and goes back when the server asks for it.
 * @throws Failure when the server will take no more of this lease, or not all of the output could be kept
 */
export async function shipLog(spool: Spool, send: SendChunk, signal: AbortSignal): Promise<void> {
  // The last recorded chunk may not have arrived: it is sent again.
  let seq = Math.max(0, spool.cuts.length - 1);
  // One chunk is on its way at a time: a long log needs no memory of its own for each.
  let memory = new Uint8Array(0);
  while (!signal.aborted) {
    const start = seq === 0 ? 0 : spool.cuts[seq - 1]!.end;
    if (spool.cuts[seq] === undefined) {
      await ready(spool, start, signal);
      if (signal.aborted) return;
      // All that there is was sent; the final chunk would say that it is everything.
      if (spool.failure !== null && spool.ended && spool.size === start) throw spool.failure;
      const end = cutEnd(spool, start);
      spool.cut({ end, final: spool.ended && end === spool.size && spool.failure === null });
    }
    const { end, final } = spool.cuts[seq]!;
    if (memory.length < end - start) memory = new Uint8Array(end - start);
    const next = await send(spool, seq, spool.read(start, end, memory), final);
    if (final && next > seq) return;
    seq = Math.min(Math.max(0, next), spool.cuts.length);
  }
}

/** Wait for a full chunk, for the flush time after the first byte, or for the end. */
async function ready(spool: Spool, start: number, signal: AbortSignal): Promise<void> {
  while (spool.size === start && !spool.ended && !signal.aborted) await spool.changed();
  if (spool.ended || spool.size - start >= LIMITS.logChunkBytes) return;
  const flush = pause(LIMITS.logFlushMs, signal).then(() => true);
  while (!spool.ended && spool.size - start < LIMITS.logChunkBytes) {
    if ((await Promise.race([spool.changed(), flush])) === true) return;
  }
}

function cutEnd(spool: Spool, start: number): number {
  const end = Math.min(spool.size, start + LIMITS.logChunkBytes);
  if (spool.ended && end === spool.size) return end;
  const tail = unfinishedTail(spool.read(Math.max(start, end - 4), end));
  return end - tail > start ? end - tail : end;
}
