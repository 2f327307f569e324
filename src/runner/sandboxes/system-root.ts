import { existsSync, lstatSync, readlinkSync } from "node:fs";

/** Programs and libraries. Where these are links into /usr they stay links. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** What programs need of /etc. No accounts, no keys, no configuration of services. */
const ETC = [
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/nsswitch.conf",
  "/etc/pki/tls/certs",
  "/etc/protocols",
  "/etc/services",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
];
const ETC_NETWORK = ["/etc/resolv.conf", "/etc/hosts"];

/**
 * Parts of /proc that the owner of a file may write or that tell about the whole host. To the kernel a task of a
 * root runner is still user 0, and for `sys` ownership alone decides: without this it could set `core_pattern`
 * and so run a program on the host. bwrap leaves `sys` open when its directory itself is not writable.
 */
const PROC_READ_ONLY = ["sys", "sysrq-trigger", "irq", "bus", "fs", "driver", "mtrr", "pressure"];
const PROC_HIDDEN_FILES = [
  "kcore",
  "keys",
  "key-users",
  "kmsg",
  "kallsyms",
  "latency_stats",
  "timer_list",
  "sched_debug",
  "slabinfo",
  "kpagecount",
  "kpageflags",
  "kpagecgroup",
  "vmallocinfo",
];
const PROC_HIDDEN_DIRECTORIES = ["acpi", "asound", "scsi"];

function place(path: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return stat.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
}

function compute(network: boolean): string[] {
  // resolv.conf is often a link into /run, which is not there: bind what it points to.
  const files = network ? [...ETC, ...ETC_NETWORK] : ETC;
  const inProc = (names: string[]) => names.map((name) => `/proc/${name}`).filter((path) => existsSync(path));
  return [
    ...SYSTEM.flatMap(place),
    ...files.filter((path) => existsSync(path)).flatMap((path) => ["--ro-bind", path, path]),
    "--proc",
    "/proc",
    ...inProc(PROC_READ_ONLY).flatMap((path) => ["--ro-bind", path, path]),
    ...inProc(PROC_HIDDEN_FILES).flatMap((path) => ["--ro-bind", "/dev/null", path]),
    ...inProc(PROC_HIDDEN_DIRECTORIES).flatMap((path) => ["--tmpfs", path]),
    "--dev",
    "/dev",
  ];
}

const known = new Map<boolean, string[]>();

/** The part of `bwrap`'s arguments that is the same for every task: computed once, at the first task. */
export function systemArguments(network: boolean): string[] {
  let found = known.get(network);
  if (found === undefined) {
    found = compute(network);
    known.set(network, found);
  }
  return found;
}
