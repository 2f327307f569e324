import { dlopen, type Pointer, ptr, read, toArrayBuffer } from "bun:ffi";
import { fail } from "../../src/base/errors.ts";
import { errnoName } from "./errno.ts";

const SYMBOLS = {
  open: { args: ["cstring", "i32", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  // Sizes stay far below 2^31, so the low half of ssize_t is all of it, and no BigInt is made for each call.
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
  writev: { args: ["i32", "ptr", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  eventfd: { args: ["u32", "i32"], returns: "i32" },
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
  mount: { args: ["cstring", "cstring", "cstring", "u64", "cstring"], returns: "i32" },
  umount2: { args: ["cstring", "i32"], returns: "i32" },
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  recvmsg: { args: ["i32", "ptr", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  inotify_init1: { args: ["i32"], returns: "i32" },
  inotify_add_watch: { args: ["i32", "cstring", "u32"], returns: "i32" },
  inotify_rm_watch: { args: ["i32", "i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

function load() {
  const names = ["libc.so.6", process.arch === "arm64" ? "libc.musl-aarch64.so.1" : "libc.musl-x86_64.so.1"];
  for (const name of names) {
    try {
      return dlopen(name, SYMBOLS).symbols;
    } catch {}
  }
  throw fail("unsupported", `no C library found (tried ${names.join(", ")})`, {
    hint: "CortexFS speaks to the kernel through libc on Linux; use `ctx serve --dir DIR` elsewhere",
  });
}

let symbols: ReturnType<typeof load> | undefined;
let errnoAt: Pointer | undefined;

/** The system calls, loaded at first use: importing this file costs nothing. */
export function libc(): ReturnType<typeof load> {
  symbols ??= load();
  return symbols;
}

/** The calling thread's errno. Read it at once after the call: the runtime's own calls overwrite it. */
export function lastErrno(): number {
  // The address is constant for one thread, and each Worker has its own copy of this module.
  errnoAt ??= libc().__errno_location() as Pointer;
  return read.i32(errnoAt, 0);
}

/** A NUL-terminated copy of a text, for arguments of type cstring. */
export function cstring(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Buffer.byteLength(text) + 1);
  bytes.set(Buffer.from(text));
  return bytes;
}

/** Throw the failure of a system call that has just returned -1. */
export function systemFailure(call: string, number: number, hint?: string): never {
  throw fail("io", `${call}: ${errnoName(number)}`, {
    details: { errno: number },
    ...(hint === undefined ? {} : { hint }),
  });
}

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** Memory that the collector neither moves nor frees, with its address. Lives as long as the process. */
export function mapBuffer(bytes: number): { address: Pointer; buffer: ArrayBuffer } {
  const address = libc().mmap(null, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) as Pointer | null;
  if (address === null || Number(address) === -1) return systemFailure("mmap", lastErrno());
  return { address, buffer: toArrayBuffer(address, 0, bytes) };
}

export const addressOf = ptr;

export const OPEN_RDWR_CLOEXEC_NONBLOCK = 0o2 | 0o2000000 | 0o4000;
const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

/** A descriptor by which one thread wakes another that sleeps in poll. */
export function makeEventDescriptor(): number {
  const fd = libc().eventfd(0, EFD_CLOEXEC_NONBLOCK);
  return fd < 0 ? systemFailure("eventfd", lastErrno()) : fd;
}

const ONE = new BigUint64Array([1n]);

export function wake(eventDescriptor: number): void {
  libc().write(eventDescriptor, ONE, 8);
}
