import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../test/support/until.ts";
import { LIMITS } from "../../base/limits.ts";
import { createRedaction } from "../../redaction/index.ts";
import { captureLog, createBudget, lastLine } from "./capture.ts";
import { type SendChunk, shipLog } from "./shipper.ts";
import { Spool, unfinishedTail } from "./spool.ts";

const root = mkdtempSync(join(tmpdir(), "logs "));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const never = new AbortController().signal;

function place(): string {
  const directory = join(root, String(count++));
  mkdirSync(directory);
  return directory;
}

/** A receiver that stores chunks as the server does. */
function receiver() {
  const chunks: Buffer[] = [];
  let final = false;
  const send: SendChunk = async (_spool, seq, bytes, last) => {
    if (seq > chunks.length) return chunks.length;
    if (seq < chunks.length) {
      expect(Buffer.from(bytes).equals(chunks[seq]!)).toBe(true);
      return chunks.length;
    }
    chunks.push(Buffer.from(bytes));
    final = last;
    return chunks.length;
  };
  return { send, chunks, text: () => Buffer.concat(chunks).toString(), isFinal: () => final };
}

test("a log is cut into chunks of the limit at character borders, the last of them final", async () => {
  const spool = new Spool(place(), "stdout");
  const text = "ä€😀".repeat(60_000);
  spool.append(Buffer.from(text));
  spool.end();
  const { send, chunks, text: received, isFinal } = receiver();
  await shipLog(spool, send, never);
  expect(received()).toBe(text);
  expect(isFinal()).toBe(true);
  for (const chunk of chunks) {
    expect(chunk.length).toBeLessThanOrEqual(LIMITS.logChunkBytes);
    expect(unfinishedTail(chunk)).toBe(0);
  }
  spool.close();
});

test("output that trickles is sent while it comes, and an empty log has one empty final chunk", async () => {
  const spool = new Spool(place(), "stdout");
  const { send, chunks, text } = receiver();
  const shipping = shipLog(spool, send, never);
  for (const line of ["one\n", "two\n", "three\n"]) {
    spool.append(Buffer.from(line));
    await until(() => text().endsWith(line), text);
  }
  expect(chunks.length).toBe(3);
  spool.end();
  await shipping;
  expect(text()).toBe("one\ntwo\nthree\n");
  spool.close();

  const empty = new Spool(place(), "stderr");
  const other = receiver();
  empty.end();
  await shipLog(empty, other.send, never);
  expect(other.chunks.map((chunk) => chunk.length)).toEqual([0]);
  expect(other.isFinal()).toBe(true);
  empty.close();
});

test("after a crash at any moment the same numbers mean the same bytes, with no gap and no repeat", async () => {
  for (let crashAt = 0; crashAt < 6; crashAt++) {
    for (const arrived of [true, false]) {
      const directory = place();
      const { send, text, isFinal } = receiver();
      const before = new Spool(directory, "stdout");
      const crash = new AbortController();
      let calls = 0;
      const crashing: SendChunk = async (...message) => {
        if (calls++ === crashAt) {
          crash.abort();
          if (arrived) await send(...message);
          throw new Error("the process is gone");
        }
        return send(...message);
      };
      const shipping = shipLog(before, crashing, crash.signal).catch(() => {});
      for (let part = 0; part < 5; part++) {
        before.append(Buffer.from(`part ${part} `.repeat(2_000)));
        await Bun.sleep(LIMITS.logFlushMs * 0.6);
      }
      before.end();
      await shipping;
      before.close();
      const after = new Spool(directory, "stdout");
      after.end();
      await shipLog(after, send, never);
      expect(text()).toBe([0, 1, 2, 3, 4].map((part) => `part ${part} `.repeat(2_000)).join(""));
      expect(isFinal()).toBe(true);
      after.close();
    }
  }
});

test("F29: a server that lost chunks gets them again", async () => {
  const spool = new Spool(place(), "stdout");
  spool.append(Buffer.from("x".repeat(LIMITS.logChunkBytes * 3 + 5)));
  spool.end();
  const { send, chunks, text } = receiver();
  let lost = false;
  await shipLog(
    spool,
    async (which, seq, bytes, final) => {
      if (seq === 2 && !lost) {
        lost = true;
        chunks.splice(1);
        return 1;
      }
      return send(which, seq, bytes, final);
    },
    never,
  );
  expect(text().length).toBe(LIMITS.logChunkBytes * 3 + 5);
  spool.close();
});

const pipeOf = (...parts: (string | Buffer)[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(Buffer.from(part as string));
      controller.close();
    },
  });

test("F30, F31: both streams share one limit; what is over it is dropped behind a marker within the limit", async () => {
  const directory = place();
  const out = new Spool(directory, "stdout");
  const err = new Spool(directory, "stderr");
  const budget = createBudget(500);
  let exceeded = 0;
  const capture = (pipe: ReadableStream<Uint8Array>, spool: Spool) =>
    captureLog(pipe, spool, createRedaction([]), budget, 500, () => exceeded++, never);
  await capture(pipeOf("e".repeat(300)), err);
  await capture(pipeOf("€".repeat(50), "€".repeat(50), "more"), out);
  expect(exceeded).toBe(1);
  expect(out.size + err.size).toBeLessThanOrEqual(500);
  const text = Buffer.from(out.read(0, out.size)).toString();
  expect(text).toMatch(/^€+\n\[the log limit of 500 bytes is reached; the task was stopped\]\n$/);
  out.close();
  err.close();
});

test("F48: output that cannot be written is read to its end, and its log never says that it is whole", async () => {
  const directory = place();
  // What every write to a full disk answers.
  symlinkSync("/dev/full", join(directory, "stdout.log"));
  const spool = new Spool(directory, "stdout");
  const { send, text, isFinal } = receiver();
  const shipped = shipLog(spool, send, never);
  let pulled = 0;
  const pipe = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (pulled++ < 50) controller.enqueue(Buffer.from("lost\n"));
      else controller.close();
    },
  });
  await captureLog(pipe, spool, createRedaction([]), createBudget(1e6), 1e6, () => {}, never);
  expect(pulled).toBe(51);
  expect(shipped).rejects.toThrow("no space left");
  await shipped.catch(() => {});
  expect({ text: text(), final: isFinal() }).toEqual({ text: "", final: false });
  spool.close();
});

test("a secret that is cut by the pipe never reaches the disk, not even at the end of the stream", async () => {
  const spool = new Spool(place(), "stdout");
  const secret = "correct-horse-battery";
  const parts = [
    `a ${secret.slice(0, 5)}`,
    secret.slice(5, 15),
    `${secret.slice(15)} b ${secret.slice(0, 8)}`,
  ];
  await captureLog(
    pipeOf(...parts),
    spool,
    createRedaction([secret]),
    createBudget(1e6),
    1e6,
    () => {},
    never,
  );
  expect(Buffer.from(spool.read(0, spool.size)).toString()).toBe("a *** b correct-");
  expect(lastLine(spool)).toBe("a *** b correct-");
  spool.close();
});
