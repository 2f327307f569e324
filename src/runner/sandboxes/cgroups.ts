import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../base/canonical.ts";
import { signalProcess } from "./processes.ts";

export interface CgroupLimits {
  readonly memoryBytes: number | undefined;
  readonly processes: number | undefined;
}

/** A group of processes that the kernel counts and limits together: nobody leaves it by forking. */
export interface Cgroup {
  /** Off the event loop: the kernel holds up all forks of the host while it moves a process. */
  add(pid: number): Promise<void>;
  members(): number[];
  kill(): void;
  /** Whether it is gone: a group with members stays. */
  remove(): boolean;
}

export interface Cgroups {
  readonly version: 1 | 2;
  create(name: string, limits: CgroupLimits): Cgroup;
  /** End and remove what an earlier runner on this data directory left; the number of processes ended. */
  sweep(): number;
}

const attempt = (work: () => void): boolean => {
  try {
    work();
    return true;
  } catch {
    return false;
  }
};

const read = (path: string): string => readFileSync(path, "utf8");

interface Mounts {
  /** By controller name; the unified hierarchy as "". */
  readonly points: ReadonlyMap<string, string>;
  readonly own: ReadonlyMap<string, string>;
}

function readMounts(): Mounts {
  const points = new Map<string, string>();
  for (const line of read("/proc/mounts").split("\n")) {
    const [, point, kind, options] = line.split(" ");
    if (kind === "cgroup2") points.set("", point!);
    if (kind === "cgroup") for (const option of options!.split(",")) points.set(option, point!);
  }
  const own = new Map<string, string>();
  for (const line of read("/proc/self/cgroup").split("\n")) {
    const [, names, path] = line.split(/:(.*?):(.*)/);
    if (path !== undefined) for (const name of names!.split(",")) own.set(name, path);
  }
  return { points, own };
}

/** The group of this process in a hierarchy, as a directory that exists, or null. */
function ownDirectory({ points, own }: Mounts, controller: string): string | null {
  const point = points.get(controller);
  const path = own.get(controller);
  if (point === undefined || path === undefined) return null;
  const directory = join(point, path);
  return existsSync(directory) ? directory : null;
}

/**
 * Version 2 lets a group give its controllers to children only while no process sits in it. A runner that is alone
 * in its group (a systemd unit with `Delegate=yes`) moves into a child of it; one that shares its group leaves it as
 * it is.
 */
function openUnified(mounts: Mounts): string | null {
  const directory = ownDirectory(mounts, "");
  if (directory === null) return null;
  const available = read(join(directory, "cgroup.controllers")).trim().split(" ");
  if (!["memory", "pids"].every((name) => available.includes(name))) return null;
  const control = join(directory, "cgroup.subtree_control");
  const enable = () => attempt(() => writeFileSync(control, "+memory +pids"));
  if (enable()) return directory;
  const members = read(join(directory, "cgroup.procs")).trim().split("\n");
  if (members.length !== 1 || members[0] !== String(process.pid)) return null;
  const supervisor = join(directory, "supervisor");
  const moved = attempt(() => {
    mkdirSync(supervisor, { recursive: true });
    writeFileSync(join(supervisor, "cgroup.procs"), String(process.pid));
  });
  return moved && enable() ? directory : null;
}

interface Hierarchy {
  readonly directory: string;
  limit(path: string, limits: CgroupLimits): void;
}

function hierarchies(mounts: Mounts): { version: 1 | 2; list: Hierarchy[] } | null {
  const unified = openUnified(mounts);
  if (unified !== null) {
    const limit = (path: string, { memoryBytes, processes }: CgroupLimits) => {
      if (memoryBytes !== undefined) {
        writeFileSync(join(path, "memory.max"), String(memoryBytes));
        if (existsSync(join(path, "memory.swap.max"))) writeFileSync(join(path, "memory.swap.max"), "0");
      }
      if (processes !== undefined) writeFileSync(join(path, "pids.max"), String(processes));
    };
    return { version: 2, list: [{ directory: unified, limit }] };
  }
  const pids = ownDirectory(mounts, "pids");
  const memory = ownDirectory(mounts, "memory");
  if (pids === null || memory === null) return null;
  return {
    version: 1,
    list: [
      {
        directory: pids,
        limit(path, { processes }) {
          if (processes !== undefined) writeFileSync(join(path, "pids.max"), String(processes));
        },
      },
      {
        directory: memory,
        limit(path, { memoryBytes }) {
          if (memoryBytes === undefined) return;
          writeFileSync(join(path, "memory.limit_in_bytes"), String(memoryBytes));
          const withSwap = join(path, "memory.memsw.limit_in_bytes");
          if (existsSync(withSwap)) writeFileSync(withSwap, String(memoryBytes));
        },
      },
    ],
  };
}

function groupAt(paths: readonly string[]): Cgroup {
  const members = () =>
    paths.flatMap((path) => {
      try {
        return read(join(path, "cgroup.procs")).trim().split("\n").filter(Boolean).map(Number);
      } catch {
        return [];
      }
    });
  return {
    members,
    async add(pid) {
      for (const path of paths) await writeFile(join(path, "cgroup.procs"), String(pid));
    },
    kill() {
      for (const pid of new Set(members())) signalProcess(pid, "SIGKILL");
    },
    remove: () => paths.map((path) => !existsSync(path) || attempt(() => rmdirSync(path))).every(Boolean),
  };
}

/** Groups below this process's own, where the host lets it make them; null where it does not. */
export function openCgroups(dataDirectory: string): Cgroups | null {
  const prefix = `lightflow-${sha256(dataDirectory).slice(0, 12)}-`;
  try {
    const found = hierarchies(readMounts());
    if (found === null) return null;
    const pathsOf = (name: string) => found.list.map(({ directory }) => join(directory, prefix + name));
    const cgroups: Cgroups = {
      version: found.version,
      create(name, limits) {
        const paths = pathsOf(name);
        for (const [index, path] of paths.entries()) {
          mkdirSync(path, { recursive: true });
          found.list[index]!.limit(path, limits);
        }
        return groupAt(paths);
      },
      sweep() {
        let ended = 0;
        for (const { directory } of found.list) {
          for (const name of readdirSync(directory)) {
            if (!name.startsWith(prefix)) continue;
            const group = groupAt([join(directory, name)]);
            ended += group.members().length;
            group.kill();
            group.remove();
          }
        }
        return ended;
      },
    };
    const trial = cgroups.create("trial", { memoryBytes: 64 << 20, processes: 16 });
    trial.remove();
    return cgroups;
  } catch {
    return null;
  }
}
