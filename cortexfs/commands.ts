import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../src/base/errors.ts";
import type { LogLevel } from "../src/base/log.ts";
import { fuseUnavailable, mountPoint, probeMount, unmountFuse } from "./fuse/mount.ts";
import { fuseMountAt } from "./fuse/mountinfo.ts";
import { MountSession } from "./mount-session.ts";

export { serveDirectory } from "./directory/serve.ts";
export { fuseUnavailable };

export interface MountOptions {
  readonly at: string;
  readonly allowOther: boolean;
  /** Holds `cortexfs.db`; one daemon at a time. */
  readonly stateDir: string;
  readonly config?: {
    readonly logLevel?: LogLevel;
    /** How long the kernel keeps names and attributes of fixed nodes. */
    readonly fixedTtlMs?: number;
  };
  /** Called once files can be read. */
  readonly onReady?: (info: { at: string; how: string; pid: number }) => void;
}

/**
 * Mount and serve until the signal aborts or somebody unmounts. Must run in a process of its own: one that also reads
 * the mount by synchronous calls would wait for itself for ever. End the process afterwards; a mount that still has
 * users keeps the filesystem thread.
 */
export async function mountCommand(options: MountOptions, signal: AbortSignal): Promise<void> {
  const at = mountPoint(options.at);
  const session = await MountSession.open({
    at,
    allowOther: options.allowOther,
    database: join(options.stateDir, "cortexfs.db"),
    logLevel: options.config?.logLevel ?? "info",
    fixedTtlMs: options.config?.fixedTtlMs ?? 1000,
    env: process.env,
    onLog: (line) => process.stderr.write(line),
  });
  options.onReady?.({ at, how: session.mounted.how, pid: process.pid });
  const asked = new Promise<"asked">((resolve) => {
    if (signal.aborted) resolve("asked");
    signal.addEventListener("abort", () => resolve("asked"));
  });
  if ((await Promise.race([asked, session.ended])) === "asked") await session.close();
}

export interface MountStatus {
  readonly at: string;
  /** `none`: nothing is mounted there; `dead`: its daemon is gone; `silent`: no answer within two seconds. */
  readonly state: "none" | "alive" | "dead" | "silent";
  readonly source?: string;
  readonly status?: string;
  readonly abi?: string;
  readonly version?: string;
  readonly queueDepth?: number;
}

/** What is mounted at a place, and what it says of itself. */
export async function status({ at }: { at: string }): Promise<MountStatus> {
  const place = mountPoint(at);
  const state = await probeMount(place);
  const entry = fuseMountAt(place);
  if (state !== "alive" || entry === undefined) return { at: place, state };
  const read = (path: string): Promise<string> =>
    readFile(join(place, path), "utf8").then((text) => text.trim());
  try {
    const [ready, abi, version, depth] = await Promise.all(
      ["status", "control/abi", "control/version", "control/queue_depth"].map(read),
    );
    return {
      at: place,
      state,
      source: entry.source,
      status: ready!,
      abi: abi!,
      version: version!,
      queueDepth: Number(depth),
    };
  } catch {
    // Another filesystem, or one that closes just now.
    return { at: place, state, source: entry.source };
  }
}

/** Unmount what is there, also when its daemon is dead. */
export async function umount({ at }: { at: string }): Promise<{ at: string; how: "unmounted" | "detached" }> {
  const place = mountPoint(at);
  if (fuseMountAt(place) === undefined) throw fail("not_found", `no FUSE filesystem is mounted at ${place}`);
  const state = await probeMount(place);
  return { at: place, how: unmountFuse(place, state === "dead" || state === "silent") };
}
