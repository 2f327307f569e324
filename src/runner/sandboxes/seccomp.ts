import { endianness } from "node:os";

/**
 * A system call filter as the kernel's classic BPF, for `bwrap --seccomp`. It takes away what a task has no use for
 * and what kernels are most often broken through: mounts, namespaces, modules, keys, BPF, performance counters,
 * clocks. The namespaces already forbid most of it; the filter also closes the way to the code behind.
 */
interface Machine {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  readonly denied: Readonly<Record<string, number>>;
  readonly clone: number;
  readonly ioctl: number;
}

/** The same number on every architecture: calls added since Linux 5.1. */
const NEW = {
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
} as const;
/** Answered as if the kernel did not have them, so that libraries take their older way. */
const ABSENT = { io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, clone3: 435 } as const;

const MACHINES: Partial<Record<NodeJS.Architecture, Machine>> = {
  x64: {
    audit: 0xc000003e,
    clone: 56,
    ioctl: 16,
    denied: {
      ...NEW,
      syslog: 103,
      vhangup: 153,
      pivot_root: 155,
      adjtimex: 159,
      acct: 163,
      settimeofday: 164,
      mount: 165,
      umount2: 166,
      swapon: 167,
      swapoff: 168,
      reboot: 169,
      sethostname: 170,
      setdomainname: 171,
      iopl: 172,
      ioperm: 173,
      init_module: 175,
      delete_module: 176,
      quotactl: 179,
      nfsservctl: 180,
      lookup_dcookie: 212,
      clock_settime: 227,
      kexec_load: 246,
      add_key: 248,
      request_key: 249,
      keyctl: 250,
      unshare: 272,
      perf_event_open: 298,
      open_by_handle_at: 304,
      clock_adjtime: 305,
      setns: 308,
      finit_module: 313,
      kexec_file_load: 320,
      bpf: 321,
      userfaultfd: 323,
    },
  },
  arm64: {
    audit: 0xc00000b7,
    clone: 220,
    ioctl: 29,
    denied: {
      ...NEW,
      lookup_dcookie: 18,
      umount2: 39,
      mount: 40,
      pivot_root: 41,
      nfsservctl: 42,
      vhangup: 58,
      quotactl: 60,
      acct: 89,
      unshare: 97,
      kexec_load: 104,
      init_module: 105,
      delete_module: 106,
      clock_settime: 112,
      syslog: 116,
      reboot: 142,
      sethostname: 161,
      setdomainname: 162,
      settimeofday: 170,
      adjtimex: 171,
      add_key: 217,
      request_key: 218,
      keyctl: 219,
      swapon: 224,
      swapoff: 225,
      perf_event_open: 241,
      open_by_handle_at: 265,
      clock_adjtime: 266,
      setns: 268,
      finit_module: 273,
      bpf: 280,
      userfaultfd: 282,
      kexec_file_load: 294,
    },
  },
};

/** Every CLONE_NEW* flag. */
const NAMESPACE_FLAGS = 0x7e020000;
/** Pushing characters into a terminal that the task may have inherited. */
const TERMINAL_REQUESTS = [0x5412, 0x541c];
/** System calls of the x32 mode of x64 begin here. */
const X32 = 0x40000000;

const EPERM = 1;
const ENOSYS = 38;
const ALLOW = 0x7fff0000;
const error = (code: number): number => 0x00050000 | code;

// Offsets in struct seccomp_data; arguments are 64 bits wide, and their low halves come first on these machines.
const NUMBER = 0;
const ARCHITECTURE = 4;
const argument = (index: number): number => 16 + 8 * index;

const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_SET = 0x45;
const RETURN = 0x06;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** The same filter by names, as the OCI runtime specification has it; null for a machine that it does not know. */
export function seccompProfile(architecture: NodeJS.Architecture = process.arch) {
  const machine = MACHINES[architecture];
  if (machine === undefined) return null;
  const refuse = (names: readonly string[], errnoRet: number, args?: object) => ({
    names,
    action: "SCMP_ACT_ERRNO",
    errnoRet,
    ...(args === undefined ? {} : { args: [args] }),
  });
  const flags = Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter(
    (flag) => (NAMESPACE_FLAGS & flag) !== 0,
  );
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: [architecture === "x64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64"],
    syscalls: [
      refuse(Object.keys(machine.denied), EPERM),
      refuse(Object.keys(ABSENT), ENOSYS),
      ...flags.map((value) =>
        refuse(["clone"], EPERM, { index: 0, value, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" }),
      ),
      ...TERMINAL_REQUESTS.map((value) => refuse(["ioctl"], EPERM, { index: 1, value, op: "SCMP_CMP_EQ" })),
    ],
  };
}

/** The filter as the bytes of `struct sock_filter[]`, or null for a machine that it does not know. */
export function seccompFilter(architecture: NodeJS.Architecture = process.arch): Uint8Array | null {
  const machine = MACHINES[architecture];
  if (machine === undefined || endianness() !== "LE") return null;
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, machine.audit],
    // Another calling convention has other numbers: it would pass this list by.
    [RETURN, 0, 0, error(ENOSYS)],
    [LOAD, 0, 0, NUMBER],
    ...(architecture === "x64"
      ? ([
          [JUMP_AT_LEAST, 0, 1, X32],
          [RETURN, 0, 0, error(ENOSYS)],
        ] as Instruction[])
      : []),
  ];
  for (const [numbers, code] of [
    [machine.denied, EPERM],
    [ABSENT, ENOSYS],
  ] as const) {
    for (const number of Object.values(numbers)) {
      program.push([JUMP_EQUAL, 0, 1, number], [RETURN, 0, 0, error(code)]);
    }
  }
  program.push(
    [JUMP_EQUAL, 0, 3, machine.clone],
    [LOAD, 0, 0, argument(0)],
    [JUMP_SET, 0, 3 + TERMINAL_REQUESTS.length, NAMESPACE_FLAGS],
    [RETURN, 0, 0, error(EPERM)],
    [JUMP_EQUAL, 0, 1 + TERMINAL_REQUESTS.length, machine.ioctl],
    [LOAD, 0, 0, argument(1)],
  );
  for (const [index, request] of TERMINAL_REQUESTS.entries()) {
    program.push([JUMP_EQUAL, TERMINAL_REQUESTS.length - index, 0, request]);
  }
  program.push([RETURN, 0, 0, ALLOW], [RETURN, 0, 0, error(EPERM)]);
  return encode(program);
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(program.length * 8));
  for (const [index, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.setUint16(index * 8, code, true);
    bytes.setUint8(index * 8 + 2, ifTrue);
    bytes.setUint8(index * 8 + 3, ifFalse);
    bytes.setUint32(index * 8 + 4, value >>> 0, true);
  }
  return new Uint8Array(bytes.buffer);
}
