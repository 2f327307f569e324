import { accessSync, constants, existsSync, mkdirSync, realpathSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { fail } from "../../src/base/errors.ts";
import { ERRNO, errnoName } from "./errno.ts";
import { mountByHelper, unmountByHelper } from "./fusermount.ts";
import { cstring, lastErrno, libc, OPEN_RDWR_CLOEXEC_NONBLOCK, systemFailure } from "./libc.ts";
import { fuseMountAt } from "./mountinfo.ts";

const SOURCE_NAME = "cortexfs";
const MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8;
const MNT_DETACH = 2;
const PROBE_MS = 2000;

export interface Mounted {
  readonly at: string;
  readonly descriptor: number;
  readonly how: "mount(2)" | "fusermount3";
}

/** Why FUSE cannot be used on this host, or undefined if nothing speaks against it. */
export function fuseUnavailable(): string | undefined {
  if (process.platform !== "linux") return `FUSE mounts need Linux, this is ${process.platform}`;
  if (!existsSync("/dev/fuse"))
    return "/dev/fuse does not exist (load the kernel module `fuse`, or pass the device into the container)";
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "/dev/fuse may not be opened by this user";
  }
  if (process.geteuid?.() !== 0 && Bun.which("fusermount3") === null) {
    return "mounting without root needs `fusermount3` (Debian package fuse3)";
  }
  return undefined;
}

/**
 * The absolute path of a mount point. Symlinks are resolved in its parent alone: resolving the point itself would touch
 * a mount that may be dead or our own.
 */
export function mountPoint(at: string): string {
  const absolute = isAbsolute(at) ? at : join(process.cwd(), at);
  const parent = dirname(absolute);
  return existsSync(parent) ? join(realpathSync(parent), basename(absolute)) : absolute;
}

/** `alive` answers, `dead` has lost its daemon, `silent` did not answer in time, `none` is not mounted. */
export async function probeMount(at: string): Promise<"none" | "alive" | "dead" | "silent"> {
  if (fuseMountAt(at) === undefined) return "none";
  // statfs, because the kernel may answer stat from its cache for a daemon that has just died; and in the thread pool,
  // where a mount that never answers holds one thread, not this program.
  const answer = statfs(at).then(
    () => "alive" as const,
    (error: NodeJS.ErrnoException) =>
      error.code === "ENOTCONN" || error.code === "ECONNABORTED" ? ("dead" as const) : ("alive" as const),
  );
  return Promise.race([answer, Bun.sleep(PROBE_MS).then(() => "silent" as const)]);
}

/** Mount and return the descriptor, non-blocking. Replaces a dead mount at the same place; refuses a living one. */
export async function mountFuse(at: string, allowOther: boolean): Promise<Mounted> {
  const reason = fuseUnavailable();
  if (reason !== undefined) {
    throw fail("unsupported", `cannot mount CortexFS: ${reason}`, {
      hint: "`ctx serve --dir DIR` offers the same files without FUSE",
    });
  }
  const state = await probeMount(at);
  if (state === "alive") throw fail("conflict", `${at} is already mounted`, { hint: "`ctx umount` first" });
  if (state === "silent") {
    throw fail("conflict", `the mount at ${at} does not answer`, { hint: "`ctx umount` first" });
  }
  if (state === "dead") unmountFuse(at, true);
  if (!existsSync(at)) {
    try {
      mkdirSync(at, { recursive: true, mode: 0o755 });
    } catch (error) {
      throw fail("io", `cannot make the mount point ${at}`, {
        cause: error,
        hint: "choose another with --at",
      });
    }
  }
  if (process.geteuid?.() === 0) {
    const descriptor = mountPrivileged(at, allowOther);
    if (descriptor !== undefined) return { at, descriptor, how: "mount(2)" };
  }
  return { at, descriptor: await mountByHelper(at, allowOther), how: "fusermount3" };
}

function mountPrivileged(at: string, allowOther: boolean): number | undefined {
  const { open, close, mount } = libc();
  const descriptor = open(cstring("/dev/fuse"), OPEN_RDWR_CLOEXEC_NONBLOCK, 0);
  if (descriptor < 0) return systemFailure("open /dev/fuse", lastErrno());
  const options = [
    `fd=${descriptor}`,
    "rootmode=40000",
    `user_id=${process.geteuid!()}`,
    `group_id=${process.getegid!()}`,
    "default_permissions",
    ...(allowOther ? ["allow_other"] : []),
  ].join(",");
  const result = mount(
    cstring(SOURCE_NAME),
    cstring(at),
    cstring("fuse.cortexfs"),
    MS_NOSUID_NODEV_NOEXEC,
    cstring(options),
  );
  if (result === 0) return descriptor;
  const number = lastErrno();
  close(descriptor);
  // Root without CAP_SYS_ADMIN, as in most containers: the helper may still be allowed to.
  if (number === ERRNO.EPERM && Bun.which("fusermount3") !== null) return undefined;
  return systemFailure(
    `mount ${at}`,
    number,
    number === ERRNO.EPERM ? "mounting needs CAP_SYS_ADMIN or fusermount3 (Debian package fuse3)" : undefined,
  );
}

/** Unmount; a busy mount is detached, so that it disappears once its last user leaves. Returns which of the two. */
export function unmountFuse(at: string, detach = false): "unmounted" | "detached" {
  if (process.geteuid?.() !== 0) return unmountByHelper(at, detach);
  const { umount2 } = libc();
  const path = cstring(at);
  if (!detach && umount2(path, 0) === 0) return "unmounted";
  const number = detach ? ERRNO.EBUSY : lastErrno();
  if (number !== ERRNO.EBUSY) {
    if (number === ERRNO.EINVAL) throw fail("not_found", `${at} is not mounted`);
    throw fail("io", `umount ${at}: ${errnoName(number)}`);
  }
  if (umount2(path, MNT_DETACH) !== 0) return systemFailure(`umount ${at}`, lastErrno());
  return "detached";
}
