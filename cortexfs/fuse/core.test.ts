import { beforeEach, expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import { MemoryDirectory, Quota } from "../tree/memory.ts";
import { IN_SIZE, OP } from "./abi.ts";
import { BUFFER_SIZE, Core } from "./core.ts";

const input = new ArrayBuffer(BUFFER_SIZE);
const output = new ArrayBuffer(BUFFER_SIZE);
const in32 = new Uint32Array(input);
const in8 = new Uint8Array(input);
const out = new DataView(output);

interface Reply {
  readonly unique: number;
  readonly error: number;
  readonly length: number;
}
let replies: Reply[];
let root: MemoryDirectory;
let core: Core;

beforeEach(() => {
  replies = [];
  root = new MemoryDirectory(new Quota(1 << 20), { mode: 0o755, uid: 0, gid: 0, time: 0 });
  const take = (length: number, payload = 0): void => {
    expect(out.getUint32(0, true)).toBe(length + payload);
    replies.push({
      unique: out.getUint32(8, true),
      error: Math.abs(out.getInt32(4, true)),
      length: length + payload,
    });
  };
  core = new Core(
    root,
    input,
    output,
    { send: take, sendWith: (length, data) => take(length, data.length) },
    {
      fixedTtlMs: 1000,
      space: () => ({ total: 0, free: 0 }),
      log: silentLog,
    },
  );
});

/** Put a message into the input buffer and have it served; `declared` lies about its length. */
function send(op: number, node: number, body: Uint8Array, unique = 1, declared?: number): Reply | undefined {
  const length = 40 + body.length;
  in8.fill(0xaa, 0, length + 64);
  in32.set([declared ?? length, op, unique, 0, node, 0, 0, 0, 1, 0]);
  in8.set(body, 40);
  const before = replies.length;
  core.handle(length);
  return replies[before];
}

const words = (...values: number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer);
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const name = (text: string): Uint8Array => new Uint8Array(Buffer.from(`${text}\0`));
const start = (): void => {
  expect(send(OP.INIT, 0, words(7, 38, 131072, 0xffffffff, 0, ...new Array<number>(11).fill(0)))?.error).toBe(
    0,
  );
};

test("a kernel that is too old is refused, a usable one gets an answer", () => {
  expect(send(OP.INIT, 0, words(7, 12, 0, 0))?.error).toBe(71);
  start();
  expect(replies.at(-1)?.length).toBe(16 + 64);
});

test("nothing is served before INIT", () => {
  expect(send(OP.LOOKUP, 1, name("a"))?.error).toBe(5);
});

test("a message that is shorter than its operation needs is answered with EIO", () => {
  start();
  for (const [op, size] of Object.entries(IN_SIZE)) {
    if ([OP.FORGET, OP.BATCH_FORGET, OP.INTERRUPT].includes(Number(op) as never)) continue;
    for (const length of [0, 4, size - 4]) {
      expect([op, length, send(Number(op), 1, new Uint8Array(length))?.error]).toEqual([op, length, 5]);
    }
  }
});

test("a length that is not the one that came is answered with EIO", () => {
  start();
  expect(send(OP.GETATTR, 1, words(0, 0, 0, 0), 9, 4096)).toEqual({ unique: 9, error: 5, length: 16 });
  expect(send(OP.GETATTR, 1, words(0, 0, 0, 0), 10, 0)?.error).toBe(5);
});

test("names are bounded by the message, by 255 bytes, and are UTF-8 without separators", () => {
  start();
  expect(send(OP.LOOKUP, 1, new Uint8Array(Buffer.from("unterminated")))?.error).toBe(5);
  expect(send(OP.LOOKUP, 1, name("x".repeat(256)))?.error).toBe(36);
  expect(send(OP.LOOKUP, 1, new Uint8Array([0xff, 0xfe, 0]))?.error).toBe(22);
  expect(send(OP.LOOKUP, 1, name("none"))?.error).toBe(2);
  for (const bad of ["", ".", "..", "a/b", "/../x"]) {
    expect([bad, send(OP.MKDIR, 1, join(words(0o755, 0), name(bad)))?.error]).toEqual([bad, 22]);
  }
  expect(root.list()).toEqual([]);
});

test("a write that declares more bytes than it brings writes nothing", () => {
  start();
  expect(send(OP.CREATE, 1, join(words(2, 0o644, 0, 0), name("f")))?.error).toBe(0);
  const write = (size: number, data: Uint8Array) =>
    send(OP.WRITE, root.lookup("f")!.ino, join(words(1, 0, 0, 0, size, 0, 0, 0, 2, 0), data));
  expect(write(1000, new Uint8Array(10))?.error).toBe(5);
  expect(root.lookup("f")?.size()).toBe(0);
  expect(write(10, new Uint8Array(10))?.error).toBe(0);
  expect(root.lookup("f")?.size()).toBe(10);
});

test("unknown nodes, handles and operations get their errno", () => {
  start();
  expect(send(OP.GETATTR, 99, words(0, 0, 0, 0))?.error).toBe(2);
  expect(send(OP.READ, 1, words(77, 0, 0, 0, 4096, 0, 0, 0, 0, 0))?.error).toBe(9);
  expect(send(OP.READDIR, 1, words(77, 0, 0, 0, 4096, 0, 0, 0, 0, 0))?.error).toBe(9);
  expect(send(4000, 1, new Uint8Array(0))?.error).toBe(38);
  expect(send(OP.SETXATTR, 1, words(0, 0))?.error).toBe(95);
});

test("looked-up nodes are forgotten when the kernel says so, also in a batch that lies about its count", () => {
  start();
  send(OP.MKDIR, 1, join(words(0o755, 0), name("d")));
  const ino = root.lookup("d")!.ino;
  send(OP.LOOKUP, 1, name("d"));
  expect(core.knownNodes).toBe(2);
  send(OP.FORGET, ino, words(1, 0));
  expect(core.knownNodes).toBe(2);
  send(OP.BATCH_FORGET, 0, words(1_000_000, 0, ino, 0, 1, 0));
  expect(core.knownNodes).toBe(1);
});

test("random and truncated messages are answered at most once each and break nothing", () => {
  start();
  send(OP.CREATE, 1, join(words(2, 0o644, 0, 0), name("f")));
  send(OP.OPENDIR, 1, words(0, 0));
  // A fixed sequence: a failure can be repeated.
  let state = 0x9e3779b9;
  const random = (below: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return state % below;
  };
  const operations = Object.values(OP);
  for (let round = 0; round < 60_000; round++) {
    const op = random(10) === 0 ? random(60) : operations[random(operations.length)]!;
    if (op === OP.INIT) continue;
    const body = new Uint8Array(random(140));
    for (let i = 0; i < body.length; i++) body[i] = random(4) === 0 ? random(256) : random(4);
    const before = replies.length;
    const declared = random(20) === 0 ? random(1 << 20) : undefined;
    send(op, random(6), body, round + 10, declared);
    const given = replies.slice(before);
    const silent = op === OP.FORGET || op === OP.BATCH_FORGET || op === OP.INTERRUPT;
    expect(given.length).toBe(silent ? 0 : 1);
    if (!silent)
      expect([given[0]!.unique, given[0]!.error >= 0, given[0]!.error < 200]).toEqual([
        round + 10,
        true,
        true,
      ]);
    replies.length = 0;
  }
  expect(send(OP.GETATTR, 1, words(0, 0, 0, 0), 7)).toEqual({ unique: 7, error: 0, length: 16 + 104 });
});
