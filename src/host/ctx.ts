import { accessSync, constants, existsSync } from "node:fs";
import { fuseUnavailable } from "../../cortexfs/commands.ts";
import { childEnvironment } from "../base/child-env.ts";
import type { Log } from "../base/log.ts";

/** Where CortexFS is by default, for hosts that made the directory. */
const DEFAULT_PLACE = "/ctx";
const READY_MS = 15_000;
const STOP_MS = 5_000;

export interface CtxProjection {
  readonly how: "fuse" | "directory" | "none";
  readonly at: string | null;
  /** Why it is not a mount, or nothing at all. */
  readonly reason: string | null;
  stop(): Promise<void>;
}

const none = (reason: string): CtxProjection => ({ how: "none", at: null, reason, stop: async () => {} });

/**
 * CortexFS beside a host: a mount where FUSE works, else the same tree as a plain directory. It runs as a child of the
 * same executable, never in the process that reads it, and ends with its parent: its stdin is a pipe that closes even
 * when the parent is killed.
 * @param place where it was asked for; without it `/ctx`, when that is there and this user may write it
 */
export async function startCtx(place: string | undefined, log: Log): Promise<CtxProjection> {
  const at = place ?? DEFAULT_PLACE;
  if (place === undefined && !isOurs(at)) {
    return none(`there is no ${at} that this user may write; name another directory with --ctx`);
  }
  const unavailable = fuseUnavailable();
  if (unavailable !== undefined) return await serve("directory", at, unavailable, log);
  const mounted = await serve("fuse", at, null, log);
  return mounted.how === "fuse" ? mounted : await serve("directory", at, mounted.reason, log);
}

function isOurs(path: string): boolean {
  try {
    if (!existsSync(path)) return false;
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Under `bun` the executable needs its script again; compiled it is its own. */
const ownCommand = (): string[] =>
  Bun.main.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, Bun.main];

async function serve(
  how: "fuse" | "directory",
  at: string,
  reason: string | null,
  log: Log,
): Promise<CtxProjection> {
  const words = how === "fuse" ? ["ctx", "mount", "--at", at] : ["ctx", "serve", "--dir", at];
  const child = Bun.spawn([...ownCommand(), ...words, "--until-stdin-ends", "--json"], {
    env: childEnvironment(process.env),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let errors = "";
  void (async () => {
    for await (const part of child.stderr) errors = (errors + Buffer.from(part).toString()).slice(-4096);
  })();
  const ready = await Promise.race([firstLine(child.stdout), pause(READY_MS).then(() => "")]);
  if (!ready.includes('"ready":true')) {
    child.kill("SIGKILL");
    const why = errors.trim().split("\n").at(-1) || `no answer within ${READY_MS / 1000} s`;
    log.warn("CortexFS could not start", { how, at, reason: why });
    return none(why);
  }
  child.exited.then((code) => log.info("CortexFS has ended", { at, code }));
  return {
    how,
    at,
    reason,
    async stop() {
      child.kill("SIGTERM");
      const ended = await Promise.race([child.exited.then(() => true), pause(STOP_MS)]);
      if (ended !== true) child.kill("SIGKILL");
    },
  };
}

function pause(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms).unref());
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const part of stream) {
    text += Buffer.from(part).toString();
    if (text.includes("\n")) break;
  }
  return text;
}
