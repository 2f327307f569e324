/** Error numbers of Linux (asm-generic/errno.h), the only vocabulary in which a filesystem can refuse. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ENODATA: 61,
  EPROTO: 71,
  ENOTSUP: 95,
  ECONNABORTED: 103,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  EDQUOT: 122,
} as const;

export type ErrnoName = keyof typeof ERRNO;

/**
 * A refusal on its way to the kernel. Not an `Error`: it is an ordinary answer given tens of thousands of times a
 * second, and capturing a stack for each would cost more than the operation itself.
 */
export class Errno {
  readonly name: ErrnoName;
  readonly number: number;
  constructor(name: ErrnoName) {
    this.name = name;
    this.number = ERRNO[name];
  }
}

const INSTANCES = Object.fromEntries(
  Object.keys(ERRNO).map((name) => [name, new Errno(name as ErrnoName)]),
) as Record<ErrnoName, Errno>;

/** @example throw errno("EROFS") */
export function errno(name: ErrnoName): Errno {
  return INSTANCES[name];
}

export function errnoName(number: number): string {
  for (const [name, value] of Object.entries(ERRNO)) if (value === number) return name;
  return `errno ${number}`;
}
