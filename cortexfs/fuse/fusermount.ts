import { fail } from "../../src/base/errors.ts";
import { addressOf, lastErrno, libc, systemFailure } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/** The setuid helper of libfuse 3: mounts for an ordinary user and passes the /dev/fuse descriptor back. */
export async function mountByHelper(at: string, allowOther: boolean): Promise<number> {
  const helper = Bun.which("fusermount3");
  if (helper === null) {
    throw fail("unsupported", "`fusermount3` is not installed", { hint: "apt-get install fuse3" });
  }
  const { socketpair, close, fcntl } = libc();
  const pair = new Int32Array(2);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) !== 0) return systemFailure("socketpair", lastErrno());
  const [ours, theirs] = [pair[0]!, pair[1]!];
  const options = [
    "default_permissions",
    "nosuid",
    "nodev",
    "noexec",
    "fsname=cortexfs",
    "subtype=cortexfs",
    ...(allowOther ? ["allow_other"] : []),
  ].join(",");
  try {
    const child = Bun.spawn([helper, "-o", options, "--", at], {
      stdio: ["ignore", "ignore", "pipe", theirs],
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", _FUSE_COMMFD: "3" },
    });
    const text = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) {
      throw fail("io", `fusermount3 refused to mount ${at}: ${text.trim()}`, {
        ...(text.includes("user_allow_other")
          ? { hint: "add `user_allow_other` to /etc/fuse.conf, or mount without --allow-other" }
          : {}),
      });
    }
    const descriptor = receiveDescriptor(ours);
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK);
    return descriptor;
  } finally {
    close(ours);
    close(theirs);
  }
}

/** recvmsg(2) with one control message; layouts of msghdr and cmsghdr on 64-bit Linux. */
function receiveDescriptor(socket: number): number {
  const data = new Uint8Array(8);
  const control = new Uint8Array(24);
  const vector = new BigUint64Array([BigInt(addressOf(data)), 8n]);
  const message = new BigUint64Array(7);
  message[2] = BigInt(addressOf(vector));
  message[3] = 1n;
  message[4] = BigInt(addressOf(control));
  message[5] = BigInt(control.length);
  if (libc().recvmsg(socket, message, MSG_CMSG_CLOEXEC) < 0) return systemFailure("recvmsg", lastErrno());
  const fields = new DataView(control.buffer);
  if (fields.getUint32(8, true) !== SOL_SOCKET || fields.getUint32(12, true) !== SCM_RIGHTS) {
    throw fail("io", "fusermount3 passed no descriptor");
  }
  return fields.getInt32(16, true);
}

export function unmountByHelper(at: string, detach: boolean): "unmounted" | "detached" {
  const run = (flags: string[]) =>
    Bun.spawnSync(["fusermount3", "-u", ...flags, "--", at], { stderr: "pipe", stdout: "ignore" });
  if (!detach && run([]).exitCode === 0) return "unmounted";
  const result = run(["-z"]);
  if (result.exitCode !== 0) throw fail("io", `fusermount3 -u ${at}: ${result.stderr.toString().trim()}`);
  return "detached";
}
