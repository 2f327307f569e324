/**
 * The kernel's FUSE interface, protocol 7.31 and later, as constants: operation codes, flags, and the sizes and byte
 * offsets of its structures. Source: `include/uapi/linux/fuse.h`. All fields are in host byte order (little-endian on
 * every target this program is built for).
 */
export const KERNEL_MAJOR = 7;
/** The newest minor version whose messages the core understands; the kernel speaks the lower of both. */
export const KERNEL_MINOR = 38;
export const KERNEL_MINOR_MINIMUM = 31;

export const OP = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  RENAME2: 45,
  LSEEK: 46,
} as const;

export const IN_HEADER_SIZE = 40;
export const OUT_HEADER_SIZE = 16;
export const ATTR_SIZE = 88;
export const ENTRY_OUT_SIZE = 40 + ATTR_SIZE;
export const ATTR_OUT_SIZE = 16 + ATTR_SIZE;
export const OPEN_OUT_SIZE = 16;
export const WRITE_OUT_SIZE = 8;
export const STATFS_OUT_SIZE = 80;
export const INIT_OUT_SIZE = 64;
export const GETXATTR_OUT_SIZE = 8;
/** Before the name of a directory entry; the whole record is padded to eight bytes. */
export const DIRENT_HEADER_SIZE = 24;

/** The least body size of each operation that has one: a shorter message is refused before it is read. */
export const IN_SIZE: Readonly<Record<number, number>> = {
  [OP.FORGET]: 8,
  [OP.GETATTR]: 16,
  [OP.SETATTR]: 88,
  [OP.MKNOD]: 16,
  [OP.MKDIR]: 8,
  [OP.RENAME]: 8,
  [OP.LINK]: 8,
  [OP.OPEN]: 8,
  [OP.READ]: 40,
  [OP.WRITE]: 40,
  [OP.RELEASE]: 24,
  [OP.FSYNC]: 16,
  [OP.SETXATTR]: 8,
  [OP.GETXATTR]: 8,
  [OP.LISTXATTR]: 8,
  [OP.FLUSH]: 24,
  [OP.INIT]: 16,
  [OP.OPENDIR]: 8,
  [OP.READDIR]: 40,
  [OP.RELEASEDIR]: 24,
  [OP.FSYNCDIR]: 16,
  [OP.ACCESS]: 8,
  [OP.CREATE]: 16,
  [OP.INTERRUPT]: 8,
  [OP.BATCH_FORGET]: 8,
  [OP.RENAME2]: 16,
  [OP.LSEEK]: 24,
};

export const INIT_FLAG = {
  ASYNC_READ: 1 << 0,
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
} as const;

export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  MTIME: 1 << 5,
  FH: 1 << 6,
  MTIME_NOW: 1 << 8,
} as const;

export const FOPEN_DIRECT_IO = 1 << 0;
/** Since Linux 5.18; older kernels ignore it and flush. */
export const FOPEN_NOFLUSH = 1 << 5;

export const RENAME_NOREPLACE = 1;

/** open(2) flags. */
export const O = {
  ACCMODE: 3,
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
} as const;

export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** The inode number of a listed entry that nobody has looked up yet (as libfuse answers it). */
export const UNKNOWN_INO = 0xffffffff;
export const ROOT_ID = 1;
export const NAME_MAX = 255;
