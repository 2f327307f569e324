import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

/** Send a signal; false when there is nobody to receive it. A negative pid is a process group. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Have a process yield to others of its session. A matter of comfort: one that is gone changes nothing. */
export function lowerPriority(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // Gone already, or not ours to change.
  }
}

/** All users but root may do this ten times a second, together. */
const AUTOGROUP_PAUSE_MS = 110;
const AUTOGROUP_TRIES = 20;

/** When a sandbox is first looked at after its start, and how often; each time twice as long after. */
const FIRST_LOOK_MS = 50;
const LOOKS = 10;

/**
 * Have a task's sessions yield to others: that of the process, and where it makes a sandbox that becomes a session of its
 * own inside, that one, once it stands. Not on the way of the start: the kernel takes its time.
 * @param isNested whether there is a session inside
 */
export async function lowerSessions(
  pid: number,
  isNested: boolean,
  niceness: number,
  isRunning: () => boolean,
): Promise<void> {
  await pauseUnheld(FIRST_LOOK_MS);
  const outer = lowerSession(pid, niceness, isRunning);
  for (let look = 0; isNested && look < LOOKS && isRunning(); look++) {
    const leaders = childrenOf(pid).filter(leadsSession);
    for (const leader of leaders) void lowerSession(leader, niceness, isRunning);
    if (leaders.length > 0) break;
    await pauseUnheld(FIRST_LOOK_MS * 2 ** look);
  }
  await outer;
}

/** A pause that does not keep the process alive. */
function pauseUnheld(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}

/** Whether a process is the first of a session. */
function leadsSession(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name: state, parent, group, session.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]) === pid;
  } catch {
    return false;
  }
}

/**
 * Have a process's whole session yield to others: where the kernel weighs sessions (`sched_autogroup_enabled`), the niceness
 * of a process counts only within its own.
 */
async function lowerSession(pid: number, niceness: number, isRunning: () => boolean): Promise<void> {
  for (let tries = 0; tries < AUTOGROUP_TRIES && isRunning(); tries++) {
    try {
      writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
      return;
    } catch (error) {
      // Gone already, or a kernel without.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
    }
    await pauseUnheld(AUTOGROUP_PAUSE_MS);
  }
}

/** Direct children of a process, as the kernel lists them. */
export function childrenOf(pid: number): number[] {
  try {
    // A child belongs to the thread that made it.
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
        .trim()
        .split(" ")
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}

function isZombie(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "Z";
  } catch {
    return true;
  }
}

interface Search {
  readonly name: string;
  readonly prefix: string;
  readonly found: number[];
  resolve(pids: number[]): void;
}

/** One pass over all processes of the host takes milliseconds: all searches of this time share one. */
const GATHER_MS = 20;
let searches: Search[] = [];
let lastPass = Number.NEGATIVE_INFINITY;

function variableOf(environment: Buffer, name: string): string | null {
  const needle = `${name}=`;
  let at = environment.indexOf(needle);
  while (at > 0 && environment[at - 1] !== 0) at = environment.indexOf(needle, at + 1);
  if (at === -1) return null;
  const end = environment.indexOf(0, at);
  return environment.toString("utf8", at + needle.length, end === -1 ? undefined : end);
}

function searchAll(): void {
  const batch = searches;
  searches = [];
  const names = [...new Set(batch.map((search) => search.name))];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || entry === String(process.pid)) continue;
    let environment: Buffer;
    try {
      environment = readFileSync(`/proc/${entry}/environ`);
    } catch {
      continue;
    }
    for (const name of names) {
      const value = variableOf(environment, name);
      if (value === null || isZombie(entry)) continue;
      for (const search of batch) {
        if (search.name === name && value.startsWith(search.prefix)) search.found.push(Number(entry));
      }
    }
  }
  lastPass = performance.now();
  for (const search of batch) search.resolve(search.found);
}

/**
 * Processes whose first environment held `name=value…` (a prefix match on the value). The environment is inherited
 * over fork, setsid and exec, so this finds what left the process group. It misses a program that was started with
 * a cleared environment on purpose: only a PID namespace holds that one.
 */
export function processesWithEnvironment(name: string, prefix: string): Promise<number[]> {
  return new Promise((resolve) => {
    searches.push({ name, prefix, found: [], resolve });
    if (searches.length > 1) return;
    setTimeout(searchAll, Math.max(0, lastPass + GATHER_MS - performance.now()));
  });
}

/** The id of a namespace of a process, such as `net:[4026531840]`, or null when it cannot be read. */
export function namespaceOf(pid: number | "self", kind: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return null;
  }
}
