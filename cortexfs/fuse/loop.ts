import type { Pointer } from "bun:ffi";
import { drainMicrotasks } from "bun:jsc";
import type { Log } from "../../src/base/log.ts";
import type { Directory } from "../tree/node.ts";
import { BUFFER_SIZE, Core, type CoreOptions, type Sink } from "./core.ts";
import { ERRNO } from "./errno.ts";
import { addressOf, lastErrno, libc, mapBuffer } from "./libc.ts";

const POLLIN = 1;
/** At most this many messages before a commit that one of them waits for. */
const SHARED_COMMIT = 256;

export interface LoopOptions extends CoreOptions {
  readonly fuseDescriptor: number;
  /** Written by the other thread after it posted a message. */
  readonly eventDescriptor: number;
  /** Whether something waits for `idle`. */
  readonly queued: () => boolean;
  /** Commit what was queued; called before the thread sleeps. */
  readonly idle: () => void;
}

/**
 * Read and serve kernel messages until the mount ends. The thread sleeps in one `poll` over the FUSE descriptor and an
 * eventfd, because inside this loop no promise resolves and no message event is delivered: microtasks are drained by
 * hand, and after a wake-up the thread returns to its event loop for one turn.
 */
export async function serveMount(root: Directory, options: LoopOptions): Promise<void> {
  const { read, poll } = libc();
  const { fuseDescriptor, eventDescriptor, queued, idle, log } = options;
  const input = mapBuffer(BUFFER_SIZE);
  const output = mapBuffer(BUFFER_SIZE);
  const core = new Core(
    root,
    input.buffer,
    output.buffer,
    kernelSink(fuseDescriptor, output.address, log),
    options,
  );
  const polled = mapBuffer(4096);
  const pollWords = new Int32Array(polled.buffer);
  pollWords[0] = fuseDescriptor;
  pollWords[2] = eventDescriptor;
  const counter = new BigUint64Array(1);
  // What continues after a commit may queue the next one, and nothing would wake the thread for it.
  const settle = (): void => {
    drainMicrotasks();
    while (queued()) {
      idle();
      drainMicrotasks();
    }
  };
  for (;;) {
    pollWords[1] = POLLIN;
    pollWords[3] = POLLIN;
    if (poll(polled.address, 2, -1) < 0) continue;
    if (pollWords[1] >>> 16 !== 0) {
      // One message a poll, as long as nothing is queued for the disk: asking again would mostly cost a system call to
      // learn that none waits. With a commit queued, everything that waits is taken first, so that it shares it.
      let served = 0;
      do {
        const length = read(fuseDescriptor, input.address, BUFFER_SIZE);
        if (length < 0) {
          const number = lastErrno();
          if (number === ERRNO.ENODEV || number === ERRNO.ECONNABORTED || number === ERRNO.EBADF) return;
          if (number === ERRNO.EINTR || number === ERRNO.ENOENT) continue;
          break;
        }
        core.handle(length);
        served++;
      } while (queued() && served < SHARED_COMMIT);
      settle();
    }
    if (pollWords[3] >>> 16 !== 0) {
      read(eventDescriptor, addressOf(counter), 8);
      // One turn delivers the messages, the second what they scheduled.
      await new Promise<void>((resolve) => setImmediate(resolve));
      await new Promise<void>((resolve) => setImmediate(resolve));
      settle();
    }
  }
}

/** Replies by write(2) from the output buffer; large payloads by writev(2) from where they lie. */
function kernelSink(descriptor: number, address: Pointer, log: Log): Sink {
  const { write, writev } = libc();
  const vector = new BigUint64Array(4);
  vector[0] = BigInt(address);
  const check = (written: number): void => {
    if (written >= 0) return;
    const number = lastErrno();
    // ENOENT: the request was interrupted meanwhile and nobody waits for this answer.
    if (number !== ERRNO.ENOENT && number !== ERRNO.ENODEV)
      log.warn("a reply was refused", { errno: number });
  };
  return {
    send: (length) => check(write(descriptor, address, length)),
    sendWith: (length, payload) => {
      vector[1] = BigInt(length);
      vector[2] = BigInt(addressOf(payload));
      vector[3] = BigInt(payload.length);
      check(writev(descriptor, addressOf(vector), 2));
    },
  };
}
