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
import { join } from "node:path";
import { fail } from "../../base/errors.ts";
import { makePrivateDirectory, syncDirectory } from "../../base/files.ts";
import { randomToken } from "../../base/ids.ts";
import type { Lease } from "../../protocol/index.ts";
import { KeyedLocks } from "./locks.ts";
import { removeTree } from "./trees.ts";

export interface Workspace {
  /** All that its tasks may write. */
  readonly root: string;
  /** Working directory of its tasks. */
  readonly directory: string;
  /** Where the runner sees that directory, when it is not what lies at its path: another mount namespace has it. */
  readonly view?: string;
  readonly home: string;
}

/** Whose a workspace is. */
export type WorkspaceUser = Pick<
  Lease,
  "tenantId" | "wfInstanceId" | "policyDigest" | "executionProfile" | "executionProfileVersion"
>;

/** The directory of a task's files as the runner reaches it. */
export const viewOf = (workspace: Workspace): string => workspace.view ?? workspace.directory;

export interface Workspaces {
  /** The workspace of a lease, alone: another lease of the same key waits until `release`. */
  acquire(lease: WorkspaceUser & Pick<Lease, "workspace">): Promise<Workspace>;
  release(key: string): void;
  /**
   * A session's workspace for a task that works on a copy of it. Readers share it; a writer has it alone.
   * @param demand whether it has to be there, or is made
   * @throws Failure `execution_session_lost`, `execution_policy_denied`
   */
  borrow(
    user: WorkspaceUser,
    key: string,
    how: "read" | "write",
    demand: "present" | "any",
  ): Promise<Borrowed>;
  /** Hold a workspace as it is, whatever it is; at once, while nothing else runs. */
  hold(key: string, how: "read" | "write"): Promise<() => void>;
  /** Put a directory in the place of the working directory. May be repeated after a crash, until `next` is gone. */
  exchange(key: string, next: string): void;
  /** The place of a workspace, whether or not it exists. */
  locate(key: string): Workspace;
  /** Gone when this returns its promise; the bytes follow, off the event loop. */
  remove(key: string): Promise<void>;
  /** Remove what no task used for the retention time; `keep` names those that a journal entry still needs. */
  sweep(keep: ReadonlySet<string>): Promise<number>;
}

export interface Borrowed {
  readonly workspace: Workspace;
  release(): void;
}

interface Owner {
  readonly mode: Lease["workspace"]["mode"];
  readonly tenantId: string;
  readonly wfInstanceId: string;
  readonly policyDigest: string;
  readonly profile: string;
}

/** A run has one principal, and one snapshot of policy of which its tasks may use several profiles. */
const ownerOf = (user: WorkspaceUser, mode: Owner["mode"]): Owner => ({
  mode,
  tenantId: user.tenantId,
  wfInstanceId: user.wfInstanceId,
  policyDigest: user.policyDigest,
  profile: `${user.executionProfile}@${user.executionProfileVersion ?? 0}`,
});

/** Null for a file that is missing or unreadable: a workspace that nobody owns is given to nobody. */
function readOwner(path: string): Owner | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Owner;
  } catch {
    return null;
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
  const locks = new KeyedLocks();
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
    if (stored.policyDigest !== owner.policyDigest || stored.profile !== owner.profile) {
      throw fail(
        "execution_policy_denied",
        `the workspace belongs to tasks of the profile ${stored.profile}, and this one runs under ${owner.profile}`,
        { hint: "give the task a workspace of its own, or hand files over as artifacts" },
      );
    }
  };

  /** What is there and whose, made where nothing is. */
  const enter = (key: string, owner: Owner): Workspace => {
    const workspace = locate(key);
    if (!existsSync(workspace.root)) create(key, workspace, owner);
    else {
      checkOwner(key, owner);
      furnish(workspace);
      const now = new Date();
      utimesSync(workspace.root, now, now);
    }
    return workspace;
  };

  return {
    locate,
    release(key) {
      releases.get(key)?.();
      releases.delete(key);
    },
    async acquire(lease) {
      const { key } = lease.workspace;
      const release = await locks.take(key, false);
      try {
        const workspace = enter(key, ownerOf(lease, lease.workspace.mode));
        releases.set(key, release);
        return workspace;
      } catch (error) {
        release();
        throw error;
      }
    },
    async borrow(user, key, how, demand) {
      const release = await locks.take(key, how === "read");
      try {
        if (demand === "present" && !existsSync(locate(key).root)) {
          throw fail(
            "execution_session_lost",
            "the session whose files the task is to work on is not on this runner",
          );
        }
        return { workspace: enter(key, ownerOf(user, "session")), release };
      } catch (error) {
        release();
        throw error;
      }
    },
    hold: (key, how) => locks.take(key, how === "read"),
    exchange(key, next) {
      if (!existsSync(next)) return;
      const { root, directory } = locate(key);
      chmodSync(root, 0o700);
      const stat = lstatSync(directory, { throwIfNoEntry: false });
      if (stat !== undefined) {
        if (stat.isDirectory()) chmodSync(directory, 0o700);
        renameSync(directory, join(waste, `${key}-${randomToken(6)}`));
      }
      chmodSync(next, 0o700);
      renameSync(next, directory);
      // The run goes on from what is told of it.
      syncDirectory(root);
    },
    remove,
    async sweep(keep) {
      for (const name of readdirSync(waste)) await removeTree(join(waste, name));
      let removed = 0;
      for (const key of readdirSync(base)) {
        if (keep.has(key) || locks.has(key)) continue;
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
