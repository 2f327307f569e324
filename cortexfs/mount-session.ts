import { fail } from "../src/base/errors.ts";
import type { LogLevel } from "../src/base/log.ts";
import type { Environment } from "../src/base/xdg.ts";
import { failureFrom, Host } from "./exchange/host.ts";
import { makeEventDescriptor, wake } from "./fuse/libc.ts";
import { type Mounted, mountFuse, unmountFuse } from "./fuse/mount.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

/** How long a detached mount may keep the process once it was asked to end. */
const LEAVE_MS = 3000;

export interface SessionOptions {
  readonly at: string;
  readonly allowOther: boolean;
  readonly database: string;
  readonly logLevel: LogLevel;
  readonly fixedTtlMs: number;
  readonly env: Environment;
  readonly onLog: (line: string) => void;
}

/**
 * Where the worker's code lies: beside this file, or, in the compiled binary, under the name that the second entrypoint
 * of the build has there. Splitting moves this code into a chunk, so `import.meta.url` cannot be built on there.
 */
function workerUrl(): string | URL {
  const here = import.meta.url;
  if (here.includes("/$bunfs/")) return "/$bunfs/root/cortexfs/worker-entry.js";
  return new URL("./worker-entry.ts", here);
}

/** A mount and the worker that serves it. */
export class MountSession {
  readonly mounted: Mounted;
  readonly #host: Host;
  /** Settles when the mount has ended, by whomever it was ended. */
  readonly ended: Promise<void>;

  private constructor(mounted: Mounted, host: Host, ended: Promise<void>) {
    this.mounted = mounted;
    this.#host = host;
    this.ended = ended;
  }

  /** Mount, start the worker, and return once it serves. */
  static async open(options: SessionOptions): Promise<MountSession> {
    const mounted = await mountFuse(options.at, options.allowOther);
    const eventDescriptor = makeEventDescriptor();
    const worker = new Worker(workerUrl());
    const say = (message: ToWorker): void => {
      worker.postMessage(message);
      wake(eventDescriptor);
    };
    const host = new Host({ env: options.env, emit: (event) => say({ type: "event", event }) });
    let onReady = (): void => {};
    let onFailed = (_error: unknown): void => {};
    let onEnded = (): void => {};
    const ready = new Promise<void>((resolve, reject) => {
      onReady = resolve;
      onFailed = reject;
    });
    const ended = new Promise<void>((resolve) => {
      onEnded = resolve;
    });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      switch (data.type) {
        case "ready":
          onReady();
          break;
        case "ended":
          onEnded();
          break;
        case "failed":
          onFailed(failureFrom(data.failure));
          break;
        case "log":
          options.onLog(data.line);
          break;
        case "host":
          host.handle(data.message);
          break;
      }
    };
    worker.onerror = (event) => {
      // Nobody serves any more: whoever waits in the mount is let go.
      try {
        unmountFuse(mounted.at, true);
      } catch {
        // Already unmounted.
      }
      onFailed(fail("internal", `the filesystem thread failed: ${event.message}`));
      onEnded();
    };
    worker.postMessage({
      type: "start",
      fuseDescriptor: mounted.descriptor,
      eventDescriptor,
      database: options.database,
      owner: { uid: process.geteuid!(), gid: process.getegid!() },
      fixedTtlMs: options.fixedTtlMs,
      logLevel: options.logLevel,
      env: { ...options.env },
    } satisfies ToWorker);
    try {
      await ready;
    } catch (error) {
      unmountFuse(mounted.at, true);
      worker.terminate();
      throw error;
    }
    return new MountSession(mounted, host, ended);
  }

  /**
   * Unmount and wait for the worker. A mount with users is detached: it disappears from the tree at once, and its users
   * get a deadline. Returns how it ended.
   */
  async close(): Promise<"unmounted" | "detached" | "abandoned"> {
    let how: "unmounted" | "detached" = "unmounted";
    try {
      how = unmountFuse(this.mounted.at);
    } catch {
      // Somebody else was faster; the worker ends either way.
    }
    // What runs now is not cancelled but interrupted: the next start says so in each `.error`.
    const left = await Promise.race([
      this.ended.then(() => how),
      Bun.sleep(LEAVE_MS).then(() => "abandoned" as const),
    ]);
    this.#host.stop();
    return left;
  }
}
