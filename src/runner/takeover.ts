import { readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Failure, toFailure } from "../base/errors.ts";
import { writeFileDurable } from "../base/files.ts";
import { isObject } from "../base/json.ts";
import type { Log } from "../base/log.ts";
import { pause } from "../base/pause.ts";
import type { EffectiveConfig } from "./config.ts";
import { Journal } from "./journal/journal.ts";

const FILE = "holder.json";
const LOOK_MS = 50;
/** What the older runner does after its drain: end processes, see the last results off. */
const AFTER_DRAIN_MS = 10_000;

/** A process that no other can be mistaken for, while this host is up. */
interface Holder {
  readonly pid: number;
  /** Clock ticks after boot, as the kernel says. */
  readonly started: string;
  readonly boot: string;
  /** Its PID namespace: a number means nothing in another one. */
  readonly namespace: string;
}

function holderOf(pid: number): Holder | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return {
      pid,
      started: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!,
      boot: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      namespace: readlinkSync("/proc/self/ns/pid"),
    };
  } catch {
    return null;
  }
}

const executableOf = (pid: number | "self"): string => {
  const { dev, ino } = statSync(`/proc/${pid}/exe`);
  return `${dev}:${ino}`;
};

/** The runner that has the directory, when it is alive, ours to signal, and another executable than this one. */
function olderRunner(directory: string): number | null {
  try {
    const written: unknown = JSON.parse(readFileSync(join(directory, FILE), "utf8"));
    if (!isObject(written) || typeof written["pid"] !== "number" || written["pid"] === process.pid)
      return null;
    const alive = holderOf(written["pid"]);
    if (alive === null || JSON.stringify(alive) !== JSON.stringify(written)) return null;
    return executableOf(alive.pid) === executableOf("self") ? null : alive.pid;
  } catch {
    return null;
  }
}

/**
 * The journal of a runner's directory. A runner of another executable that has it is asked to drain, and its place taken
 * when it is gone: an upgrade in place. A second start of the same executable is a mistake, and refused.
 * @param embedded whether the process is more than a runner: nobody may then ask it to end for the runner's sake
 * @throws Failure `conflict` when the directory stays in use, otherwise as {@link Journal}
 */
export async function takeJournal(
  config: Pick<EffectiveConfig, "dataDirectory" | "drainMs" | "killGraceMs">,
  embedded: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<Journal> {
  const { dataDirectory, drainMs, killGraceMs } = config;
  const end = performance.now() + drainMs + killGraceMs + AFTER_DRAIN_MS;
  let asked: number | null = null;
  for (;;) {
    try {
      const journal = new Journal(dataDirectory);
      const self = embedded ? null : holderOf(process.pid);
      writeFileDurable(join(dataDirectory, FILE), `${JSON.stringify(self)}\n`);
      return journal;
    } catch (error) {
      const failure: Failure = toFailure(error);
      if (failure.code !== "conflict" || embedded) throw failure;
      const older: number | null = asked ?? olderRunner(dataDirectory);
      if (older === null || signal.aborted || performance.now() > end) throw failure;
      if (asked === null) {
        log.info("asking the older runner to drain", { pid: older });
        process.kill(older, "SIGTERM");
        asked = older;
      }
      await pause(LOOK_MS, signal);
    }
  }
}
