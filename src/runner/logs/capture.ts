import { toFailure } from "../../base/errors.ts";
import type { Redaction } from "../../redaction/index.ts";
import { type Spool, unfinishedTail } from "./spool.ts";

export interface LogBudget {
  /** Bytes of both streams together that may still be written. */
  left: number;
  exceeded: boolean;
}

const LAST_LINE_BYTES = 1024;

/** Room for the marker is kept from the start, so that marker and output together stay within the limit. */
const marker = (limit: number): Buffer =>
  Buffer.from(`\n[the log limit of ${limit} bytes is reached; the task was stopped]\n`);

export function createBudget(limit: number): LogBudget {
  return { left: Math.max(0, limit - marker(limit).length), exceeded: false };
}

/**
 * Drain one pipe to its end: mask, count, spool. What comes after the limit, or cannot be written, is read and dropped,
 * so that the task never blocks on a full pipe.
 */
export async function captureLog(
  pipe: ReadableStream<Uint8Array>,
  spool: Spool,
  redaction: Redaction,
  budget: LogBudget,
  limit: number,
  onExceeded: () => void,
  signal: AbortSignal,
): Promise<void> {
  const redactor = redaction.stream();
  const append = (bytes: Uint8Array): void => {
    try {
      spool.append(bytes);
    } catch (error) {
      // A full disk: what comes now is lost, and the log says that it is not whole.
      spool.fail(toFailure(error));
    }
  };
  const write = (bytes: Uint8Array): void => {
    if (budget.exceeded || spool.failure !== null) return;
    if (bytes.length <= budget.left) {
      budget.left -= bytes.length;
      append(bytes);
      return;
    }
    const room = bytes.subarray(0, budget.left);
    append(room.subarray(0, room.length - unfinishedTail(room)));
    append(marker(limit));
    budget.exceeded = true;
    budget.left = 0;
    onExceeded();
  };
  const reader = pipe.getReader();
  const abandon = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", abandon, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      write(redactor.push(value));
    }
  } catch {
    // A pipe that breaks has ended.
  } finally {
    signal.removeEventListener("abort", abandon);
    write(redactor.flush());
    spool.end();
  }
}

/** The last line that is not blank, at most a kilobyte of it, or "". */
export function lastLine(spool: Spool): string {
  const from = Math.max(0, spool.size - LAST_LINE_BYTES);
  const text = new TextDecoder().decode(spool.read(from, spool.size));
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== "");
  return (lines.at(-1) ?? "").trim().replace(/^\uFFFD+/, "");
}
