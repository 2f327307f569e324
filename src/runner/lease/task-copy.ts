import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fail, toFailure } from "../../base/errors.ts";
import { writeFileDurable } from "../../base/files.ts";
import type { Lease } from "../../protocol/index.ts";
import { credentialFiles } from "../config.ts";
import { type CopyMethod, copyTree, runTool } from "../files/copy.ts";
import { copyMethods } from "../files/copy-methods.ts";
import { type MountNamespace, type Overlay, openOverlay } from "../files/overlay.ts";
import { removeTree } from "../files/trees.ts";
import { viewOf, type Workspace, type Workspaces, type WorkspaceUser } from "../files/workspaces.ts";
import { isWithin, resolveMounts } from "../sandboxes/index.ts";
import type { LeasePlaces } from "./places.ts";
import type { LeaseServices } from "./services.ts";

/** A task's own workspace that began as a copy of a session's, or of a directory of the host. */
export interface TaskCopy {
  readonly method: CopyMethod;
  /** The task's, as it is while this is open. */
  readonly workspace: Workspace;
  /** Where the sandbox has to be made for the task to see it; null where the files lie at their path. */
  readonly namespace: MountNamespace | null;
  /** @throws Failure `execution_output_invalid` where the files cannot be read any more, rather than to find none */
  check(): void;
  /** Make it the session's workspace. May be repeated, also by a later process. @throws Failure `execution_commit_failed` */
  commit(keep: boolean): Promise<void>;
  /** Let go of the session, and of the mount. Once or more often. */
  close(): Promise<void>;
}

type CopyServices = Pick<LeaseServices, "workspaces"> & {
  readonly config: Pick<LeaseServices["config"], "dataDirectory" | "mounts" | "secrets" | "vault">;
};
type CopyLease = WorkspaceUser & Pick<Lease, "workspace">;

/** Says how the copy was made, for whoever goes on after a crash. */
const RECORD = "copy.json";
/** Stands there once `next` is whole. */
const COMMIT = "commit";
const NEXT = "next";

const layerPlaces = (places: LeasePlaces, lower: string, target: string) => ({
  lower,
  upper: join(places.root, "layer", "upper"),
  work: join(places.root, "layer", "work"),
  target,
});

/** How {@link sessionOf} is held meanwhile. */
export const howOf = ({ workspace }: Pick<Lease, "workspace">): "read" | "write" =>
  workspace.mode === "ephemeral" && workspace.commitTo === undefined ? "read" : "write";

/** The session that a task works in, has a copy of, or replaces, if any. */
export function sessionOf({ workspace }: Pick<Lease, "workspace">): string | undefined {
  const { mode, key, copyOf, commitTo } = workspace;
  if (mode === "session") return key;
  return copyOf !== undefined && "session" in copyOf ? copyOf.session : commitTo;
}

/**
 * Fill a workspace as its lease says. The session stays as it is until `close`: others may read it, and nobody but this
 * task writes it where it is to be replaced.
 * @param layered whether the task's sandbox can be made where an overlay is mounted, and nothing needs the files whole
 * @throws Failure `execution_session_lost`, `execution_policy_denied`, `execution_start_failed`; nothing is held then
 */
export async function openCopy(
  { config, workspaces }: CopyServices,
  lease: CopyLease,
  places: LeasePlaces,
  workspace: Workspace,
  layered: boolean,
  signal: AbortSignal,
): Promise<TaskCopy | null> {
  const { copyOf, commitTo } = lease.workspace;
  if (copyOf === undefined) return null;
  const session = sessionOf(lease);
  const demand = "session" in copyOf ? "present" : "any";
  const borrowed =
    session === undefined ? null : await workspaces.borrow(lease, session, howOf(lease), demand);
  let overlay: Overlay | null = null;
  try {
    const source = "path" in copyOf ? hostSource(copyOf.path, config) : borrowed!.workspace.directory;
    const methods = await copyMethods(config.dataDirectory);
    mkdirSync(places.root, { recursive: true, mode: 0o700 });
    if (layered && methods.overlay) {
      const layer = layerPlaces(places, source, workspace.directory);
      mkdirSync(layer.upper, { recursive: true, mode: 0o700 });
      mkdirSync(layer.work, { recursive: true, mode: 0o700 });
      // What lies below may be of a kind that a layer cannot lie on: then it is copied.
      overlay = await openOverlay(layer).catch(() => null);
    }
    const method =
      overlay === null ? await copyTree(source, workspace.directory, methods.reflink, signal) : "overlay";
    writeFileSync(join(places.root, RECORD), JSON.stringify({ method, source }), { mode: 0o600 });
    // A copy that replaces nothing needs its session no longer.
    if (overlay === null && commitTo === undefined) borrowed?.release();
    return taskCopy(
      workspaces,
      commitTo,
      places,
      workspace,
      method,
      methods.reflink,
      overlay,
      borrowed?.release,
    );
  } catch (error) {
    await overlay?.close();
    borrowed?.release();
    throw error;
  }
}

/**
 * The same after the process that opened it is gone.
 * @param release gives back the session, which is held for this lease since the start of this process
 * @returns null where no copy was made
 * @throws Failure `feature_unsupported` when its layer cannot be mounted again
 */
export async function reopenCopy(
  { config, workspaces }: CopyServices,
  lease: CopyLease,
  places: LeasePlaces,
  release: (() => void) | undefined,
): Promise<TaskCopy | null> {
  if (lease.workspace.copyOf === undefined || !existsSync(join(places.root, RECORD))) return null;
  const { method, source } = JSON.parse(readFileSync(join(places.root, RECORD), "utf8")) as {
    method: CopyMethod;
    source: string;
  };
  const workspace = workspaces.locate(lease.workspace.key);
  // What was decided to be taken over stands apart already; its layer may lie on what was replaced.
  const needed = method === "overlay" && !existsSync(join(places.root, COMMIT));
  const overlay = needed ? await openOverlay(layerPlaces(places, source, workspace.directory)) : null;
  const { reflink } = await copyMethods(config.dataDirectory);
  return taskCopy(workspaces, lease.workspace.commitTo, places, workspace, method, reflink, overlay, release);
}

function taskCopy(
  workspaces: Workspaces,
  commitTo: string | undefined,
  places: LeasePlaces,
  plain: Workspace,
  method: CopyMethod,
  reflink: boolean,
  overlay: Overlay | null,
  release: (() => void) | undefined,
): TaskCopy {
  const workspace = overlay === null ? plain : { ...plain, view: overlay.view };
  const next = join(places.root, NEXT);
  const decided = join(places.root, COMMIT);
  const check = (): void => {
    if (overlay?.held === false)
      throw fail(
        "execution_output_invalid",
        "the layer that holds the task's files was ended by somebody else",
      );
  };
  return {
    method,
    workspace,
    namespace: overlay?.namespace ?? null,
    check,
    async commit(keep) {
      if (commitTo === undefined) return;
      try {
        if (!existsSync(decided)) {
          check();
          if (method === "overlay" || keep) {
            await removeTree(next);
            await copyTree(viewOf(workspace), next, reflink);
          } else if (!existsSync(next)) {
            if (!lstatSync(workspace.directory).isDirectory())
              throw fail("workspace_change_denied", "the task exchanged its workspace for a link");
            chmodSync(workspace.directory, 0o700);
            renameSync(workspace.directory, next);
          }
          // What is decided upon is on the disk: a session of empty files would be worse than the one before.
          const trouble = await runTool(["sync", "-f", next]);
          if (trouble !== null) throw fail("io", trouble);
          writeFileDurable(decided, "");
        }
        workspaces.exchange(commitTo, next);
      } catch (error) {
        throw fail("execution_commit_failed", `the session keeps what it had: ${toFailure(error).message}`);
      }
    },
    async close() {
      release?.();
      await overlay?.close();
    },
  };
}

/** A directory of the host, which the runner's operator opened to tasks. */
function hostSource(path: string, config: CopyServices["config"]): string {
  const [mount] = resolveMounts(
    [{ source: path, target: path, readOnly: true }],
    config.mounts,
    config.dataDirectory,
    credentialFiles(config),
  );
  // A mount would show it empty.
  if (isWithin(config.dataDirectory, mount!.source))
    throw fail("execution_policy_denied", `${path} holds the runner's own data, and cannot be copied`);
  if (!statSync(mount!.source).isDirectory())
    throw fail("execution_start_failed", `${path} is not a directory, and only a directory can be copied`);
  return mount!.source;
}
