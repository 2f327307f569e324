import { existsSync, realpathSync } from "node:fs";
import { isAbsolute, normalize } from "node:path";
import { fail } from "../../base/errors.ts";
import type { Mount } from "../../protocol/index.ts";

export interface ResolvedMount {
  /** The real path on the host, symbolic links resolved once. */
  readonly source: string;
  /** Where the task sees it. */
  readonly target: string;
  readonly readOnly: boolean;
}

/** Whether `path` is `root` or lies below it. */
export const isWithin = (path: string, root: string): boolean =>
  path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`);

/** Kernel interfaces: a bind of them would undo the sandbox. */
const NEVER = ["/proc", "/sys", "/dev", "/run/systemd", "/var/run/docker.sock", "/run/docker.sock"];

function checkPath(path: string, what: string): string {
  const plain = normalize(path).replace(/(?<=.)\/+$/, "");
  if (!isAbsolute(path) || path.includes("\0") || path.split("/").includes("..")) {
    throw fail(
      "execution_policy_denied",
      `the mount ${what} ${JSON.stringify(path)} is not a plain absolute path`,
    );
  }
  return plain;
}

/**
 * The mounts of a lease as host paths.
 * @throws Failure `execution_policy_denied` for a path outside the allowed roots, `not_found` for a missing one
 */
export function resolveMounts(
  mounts: readonly Mount[],
  allowedRoots: readonly string[],
  dataDirectory: string,
  /** Files with credentials of the runner's own, which no mount may show. */
  credentials: readonly string[] = [],
): ResolvedMount[] {
  return mounts.map((mount) => {
    const asked = checkPath(mount.source, "source");
    const target = checkPath(mount.target, "target");
    if (target === "/") throw fail("execution_policy_denied", "a mount cannot cover the whole root");
    if (!existsSync(asked)) {
      throw fail("not_found", `the mount source ${asked} does not exist on this runner's host`);
    }
    const source = realpathSync(asked);
    // Roots are resolved as well, else a root that is a symbolic link would allow nothing.
    const roots = allowedRoots.map((root) => (existsSync(root) ? realpathSync(root) : root));
    if (!roots.some((root) => isWithin(source, root))) {
      throw fail(
        "execution_policy_denied",
        `the mount source ${source} is outside the runner's mount roots`,
        {
          hint: `add its directory to "mounts" in the runner's configuration`,
          details: { roots: [...allowedRoots] },
        },
      );
    }
    const own = existsSync(dataDirectory) ? realpathSync(dataDirectory) : dataDirectory;
    if (isWithin(source, own) || NEVER.some((path) => isWithin(source, path) || isWithin(target, path))) {
      throw fail("execution_policy_denied", `${source} may not be mounted into a task`);
    }
    if (credentials.some((path) => isWithin(existsSync(path) ? realpathSync(path) : path, source))) {
      throw fail("execution_policy_denied", `a file with a secret of the runner lies below ${source}`, {
        hint: "keep secrets apart from what tasks may mount",
      });
    }
    return { source, target, readOnly: mount.readOnly };
  });
}
