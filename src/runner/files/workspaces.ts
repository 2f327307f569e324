import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fail } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import { randomToken } from "../../base/ids.ts";
import type { Lease } from "../../protocol/index.ts";

export interface Workspace {
  /** All that its tasks may write. */
  readonly root: string;
  /** Working directory of its tasks. */
  readonly directory: string;
  readonly home: string;
}

export interface Workspaces {
  /** The workspace of a lease, alone: another lease of the same key waits until `release`. */
  acquire(lease: Pick<Lease, "workspace" | "tenantId" | "wfInstanceId" | "leaseId">): Promise<Workspace>;
  release(key: string): void;
  /** The place of a workspace, whether or not it exists. */
  locate(key: string): Workspace;
  /** Gone when this returns its promise; the bytes follow, off the event loop. */
  remove(key: string): Promise<void>;
  /** Remove what no task used for the retention time; `keep` names those that a journal entry still needs. */
  sweep(keep: ReadonlySet<string>): Promise<number>;
}

interface Owner {
  readonly mode: Lease["workspace"]["mode"];
  readonly tenantId: string;
  readonly wfInstanceId: string;
}

/** Null for a file that is missing or unreadable: a workspace that nobody owns is given to nobody. */
function readOwner(path: string): Owner | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Owner;
  } catch {
    return null;
  }
}

/**
 * Removing needs write permission on each directory, which a task may have taken away from its own.
 * @throws when something cannot be removed even so
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await Bun.spawn(["/bin/chmod", "-R", "u+rwX", path], { env: {}, stdio: ["ignore", "ignore", "ignore"] })
      .exited;
    await rm(path, { recursive: true, force: true });
  }
}

export function openWorkspaces(dataDirectory: string, retentionMs: number): Workspaces {
  const base = join(dataDirectory, "workspaces");
  // Out of the tasks' reach.
  const owners = join(dataDirectory, "owners");
  makePrivateDirectory(base);
  makePrivateDirectory(owners);
  const ownerFile = (key: string): string => join(owners, `${key}.json`);
  // What is being removed has no name among the workspaces any more: a task that comes meanwhile gets a new one.
  const waste = join(dataDirectory, "removed");
  makePrivateDirectory(waste);
  const remove = async (key: string): Promise<void> => {
    const aside = join(waste, `${key}-${randomToken(6)}`);
    if (existsSync(join(base, key))) {
      // Moving a directory writes its "..", which a task may have forbidden.
      chmodSync(join(base, key), 0o700);
      renameSync(join(base, key), aside);
    }
    rmSync(ownerFile(key), { force: true });
    await removeTree(aside);
  };
  const tails = new Map<string, Promise<void>>();
  const releases = new Map<string, () => void>();

  const locate = (key: string): Workspace => {
    const root = join(base, key);
    return { root, directory: join(root, "work"), home: join(root, "home") };
  };

  const parts = ({ root, directory, home }: Workspace): string[] => [directory, home, join(root, "output")];

  /** A task may write all of its workspace: what it removed or exchanged for a link is made anew for the next one. */
  const furnish = (workspace: Workspace): void => {
    chmodSync(workspace.root, 0o700);
    for (const path of parts(workspace)) {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) {
        chmodSync(path, 0o700);
        continue;
      }
      if (stat !== undefined) rmSync(path, { force: true });
      mkdirSync(path, { mode: 0o700 });
    }
  };

  const create = (key: string, workspace: Workspace, owner: Owner): void => {
    writeFileSync(ownerFile(key), JSON.stringify(owner), { mode: 0o600 });
    for (const path of [workspace.root, ...parts(workspace)]) mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(workspace.home, ".gitconfig"), "[safe]\n\tdirectory = *\n");
  };

  const checkOwner = (key: string, owner: Owner): void => {
    const stored = readOwner(ownerFile(key));
    if (stored?.tenantId !== owner.tenantId || stored.wfInstanceId !== owner.wfInstanceId) {
      throw fail("execution_policy_denied", "the workspace belongs to another tenant or workflow instance");
    }
  };

  const release = (key: string): void => {
    releases.get(key)?.();
    releases.delete(key);
  };

  return {
    locate,
    release,
    async acquire(lease) {
      const { key } = lease.workspace;
      const before = tails.get(key) ?? Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      const tail = before.then(() => promise);
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      await before;
      releases.set(key, resolve);
      try {
        const workspace = locate(key);
        const owner: Owner = {
          mode: lease.workspace.mode,
          tenantId: lease.tenantId,
          wfInstanceId: lease.wfInstanceId,
        };
        if (!existsSync(workspace.root)) create(key, workspace, owner);
        else {
          checkOwner(key, owner);
          furnish(workspace);
          const now = new Date();
          utimesSync(workspace.root, now, now);
        }
        return workspace;
      } catch (error) {
        release(key);
        throw error;
      }
    },
    remove,
    async sweep(keep) {
      for (const name of readdirSync(waste)) await removeTree(join(waste, name));
      let removed = 0;
      for (const key of readdirSync(base)) {
        if (keep.has(key) || tails.has(key)) continue;
        const stat = statSync(join(base, key), { throwIfNoEntry: false });
        if (stat === undefined) continue;
        // A workspace for one task that no task is known to need is left over from a crash.
        const idle = Date.now() - stat.mtimeMs;
        if (idle < retentionMs && readOwner(ownerFile(key))?.mode !== "ephemeral") continue;
        await remove(key);
        removed++;
      }
      return removed;
    },
  };
}
