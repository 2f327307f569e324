import { join } from "node:path";
import { fail } from "../../base/errors.ts";

/** The namespaces that a mount lives in, by a process that keeps them. */
export interface MountNamespace {
  readonly pid: number;
  /** Whether its mounts belong to a user namespace as well: those of a runner that is not root. */
  readonly user: boolean;
}

export interface Overlay {
  readonly namespace: MountNamespace;
  /** Where this process sees what the mount shows at `target`. */
  readonly view: string;
  /** Whether it is still there: with the process that holds it, the mount goes. */
  readonly held: boolean;
  /** The mount is gone when this returns. */
  close(): Promise<void>;
}

export interface OverlayPlaces {
  readonly lower: string;
  /** What is changed. */
  readonly upper: string;
  /** The kernel's own, beside `upper`. */
  readonly work: string;
  readonly target: string;
}

const SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** What begins a program's arguments to put it where a mount is seen; it stays the same process. */
export function inNamespace({ pid, user }: MountNamespace): string[] {
  const at = (name: string) => `/proc/${pid}/ns/${name}`;
  return [
    Bun.which("nsenter", { PATH: SYSTEM_PATH }) ?? "nsenter",
    ...(user ? [`--user=${at("user")}`, "--preserve-credentials"] : []),
    `--mount=${at("mnt")}`,
    "--",
  ];
}

/**
 * Directories are named by descriptors, since the option's own syntax gives meaning to commas, colons and backslashes.
 * They are opened after the namespace was made: the kernel takes none of another one. When the runner dies its end of
 * the pipe closes, the process goes away, and the mount with it: a crash leaves none.
 */
const HOLD = `exec 3<"$1" 4<"$2" 5<"$3" || exit 1
mount -t overlay -o "nodev,nosuid$5,lowerdir=/proc/self/fd/3,upperdir=/proc/self/fd/4,workdir=/proc/self/fd/5" overlay "$4" || exit 1
exec 3<&- 4<&- 5<&-
echo mounted
read -r end`;

/**
 * Show `lower` at `target` with a layer over it that takes all changes, in a mount namespace of its own: the host, and
 * other tasks, do not see it. `lower` must not change as long as it is open.
 * @throws Failure `feature_unsupported` where the kernel, or the file system, does not do it
 */
export async function openOverlay(places: OverlayPlaces): Promise<Overlay> {
  const user = process.getuid?.() !== 0;
  const child = Bun.spawn(
    [
      "unshare",
      ...(user ? ["--user", "--map-root-user"] : []),
      ...["--mount", "--propagation", "private", "/bin/sh", "-c", HOLD, "sh"],
      ...[places.lower, places.upper, places.work, places.target, user ? ",userxattr" : ""],
    ],
    {
      env: { PATH: SYSTEM_PATH, LC_ALL: "C" },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    },
  );
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  if (value === undefined) {
    const said = (await child.stderr.text()).trim().split("\n")[0] ?? "";
    await child.exited;
    throw fail("feature_unsupported", `no overlay can be mounted: ${said.slice(0, 500)}`);
  }
  return {
    namespace: { pid: child.pid, user },
    view: join(`/proc/${child.pid}/root`, places.target),
    get held() {
      return child.exitCode === null && child.signalCode === null;
    },
    async close() {
      child.stdin.end();
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
