import type { Log } from "../../src/base/log.ts";
import {
  IN_HEADER_SIZE,
  INIT_FLAG,
  INIT_OUT_SIZE,
  KERNEL_MAJOR,
  KERNEL_MINOR,
  KERNEL_MINOR_MINIMUM,
} from "./abi.ts";
import { errno } from "./errno.ts";

const WANTED =
  INIT_FLAG.ASYNC_READ |
  INIT_FLAG.ATOMIC_O_TRUNC |
  INIT_FLAG.BIG_WRITES |
  INIT_FLAG.ASYNC_DIO |
  INIT_FLAG.PARALLEL_DIROPS |
  INIT_FLAG.ABORT_ERROR |
  INIT_FLAG.MAX_PAGES;

/**
 * Answer INIT: the version that both speak, and what is wanted of what the kernel offers.
 * @returns whether the session begins; a newer major is told ours, and asks again
 * @throws Errno `EPROTO` for a kernel that is too old
 */
export function negotiate(
  words: Uint32Array,
  length: number,
  out: Uint32Array,
  maxWrite: number,
  log: Log,
): boolean {
  const major = words[10]!;
  const minor = words[11]!;
  if (major < KERNEL_MAJOR || (major === KERNEL_MAJOR && minor < KERNEL_MINOR_MINIMUM)) {
    log.error("the kernel's FUSE protocol is too old", { major, minor });
    throw errno("EPROTO");
  }
  out.fill(0, 4, 4 + INIT_OUT_SIZE / 4);
  out[4] = KERNEL_MAJOR;
  out[5] = KERNEL_MINOR;
  if (major > KERNEL_MAJOR) return false;
  out[6] = length >= IN_HEADER_SIZE + 12 ? words[12]! : 0;
  out[7] = words[13]! & WANTED;
  out[8] = 64 | (48 << 16);
  out[9] = maxWrite;
  out[10] = 1;
  out[11] = maxWrite / 4096;
  return true;
}
