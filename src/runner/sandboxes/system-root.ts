import { existsSync, lstatSync, mkdirSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";

/** Programs and libraries. Where these are links into /usr they stay links. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** What programs need of /etc. No accounts, no keys, no configuration of services. */
const ETC = [
  "fonts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "nsswitch.conf",
  "protocols",
  "services",
  "ssl/openssl.cnf",
];
/** Hundreds of links, quicker mounted at each start than copied once. */
const ETC_MOUNTED = ["/etc/alternatives"];
/** With the network open these are the host's own, as they are at the moment. */
const ETC_NETWORK_FILES = ["/etc/resolv.conf", "/etc/hosts"];
const ETC_NETWORK_DIRECTORIES = ["/etc/ssl/certs", "/etc/pki/tls/certs", "/etc/ca-certificates"];

/**
 * Parts of /proc that the owner of a file may write, or that tell root about the whole host. To the kernel a task of
 * a root runner is still user 0, and for `sys` ownership alone decides: without this it could set `core_pattern` and
 * so run a program on the host. bwrap leaves `sys` open when its directory itself is not writable. To any other
 * user all of this is closed already.
 */
const PROC_READ_ONLY = ["sys", "sysrq-trigger"];
/** Without `kcore` and `kmsg`: the kernel itself asks for a capability of the host at their opening, and a mount costs time. */
const PROC_HIDDEN = ["sched_debug", "slabinfo", "timer_list", "vmallocinfo"];

const etcDirectory = (dataDirectory: string): string => join(dataDirectory, "etc");

/**
 * A small /etc for tasks, copied once when the runner starts: each mount of a sandbox costs time at every start, and
 * one directory is one mount. Who has an account on the host is not a task's business; who it is itself, is.
 */
export async function writeSystemFiles(
  dataDirectory: string,
  /** Of the host, which every sandbox sees. */
  readOnlyPaths: readonly string[],
): Promise<void> {
  const etc = etcDirectory(dataDirectory);
  rmSync(etc, { recursive: true, force: true });
  mkdirSync(etc, { recursive: true, mode: 0o755 });
  const sources = ETC.filter((name) => existsSync(join("/etc", name)));
  for (const name of sources) mkdirSync(dirname(join(etc, name)), { recursive: true });
  // Empty ones to mount over.
  for (const path of [...ETC_MOUNTED, ...ETC_NETWORK_DIRECTORIES])
    mkdirSync(join(dataDirectory, path), { recursive: true });
  for (const path of ETC_NETWORK_FILES) writeFileSync(join(dataDirectory, path), "");
  const more = readOnlyPaths.map((path) => normalize(path)).filter((path) => path.startsWith("/etc/"));
  for (const path of more) {
    const stat = statSync(path, { throwIfNoEntry: false });
    const own = join(dataDirectory, path);
    if (stat?.isDirectory() === true) mkdirSync(own, { recursive: true });
    else if (stat !== undefined) {
      mkdirSync(dirname(own), { recursive: true });
      writeFileSync(own, "");
    }
  }
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  writeFileSync(join(etc, "passwd"), `task:x:${uid}:${gid}:task:/tmp:/bin/sh\n`);
  writeFileSync(join(etc, "group"), `task:x:${gid}:\n`);
  // What the runner's user may not read, a task may not either.
  await Promise.all(
    sources.map((name) =>
      cp(join("/etc", name), join(etc, name), { recursive: true, verbatimSymlinks: true }).catch(() => {}),
    ),
  );
}

/** One entry of the root that a task sees: a part of the host, read-only, or a link. */
export type SystemEntry =
  | { readonly path: string; readonly source: string }
  | { readonly path: string; readonly link: string };

function place(path: string): SystemEntry[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return [stat.isSymbolicLink() ? { path, link: readlinkSync(path) } : { path, source: path }];
}

/** Programs, libraries and the reduced /etc. */
export function systemEntries(dataDirectory: string, network: boolean): SystemEntry[] {
  return [
    ...SYSTEM.flatMap(place),
    { path: "/etc", source: etcDirectory(dataDirectory) },
    ...[...ETC_MOUNTED, ...(network ? [...ETC_NETWORK_FILES, ...ETC_NETWORK_DIRECTORIES] : [])]
      .filter((path) => existsSync(path))
      .map((path) => ({ path, source: path })),
  ];
}

/** How names are looked up on this host, for an image whose network is open. */
export const networkEntries = (): { readonly path: string; readonly source: string }[] =>
  ETC_NETWORK_FILES.filter((path) => existsSync(path)).map((path) => ({ path, source: path }));

/** What of /proc is read-only, and what is hidden; empty for a runner whose user may not touch it anyway. */
export function guardedProc(): { readonly readOnly: string[]; readonly hidden: string[] } {
  const inProc = (names: string[]) =>
    process.getuid?.() === 0 ? names.map((name) => `/proc/${name}`).filter((path) => existsSync(path)) : [];
  return { readOnly: inProc(PROC_READ_ONLY), hidden: inProc(PROC_HIDDEN) };
}

function compute(dataDirectory: string, network: boolean): string[] {
  const { readOnly, hidden } = guardedProc();
  return [
    ...systemEntries(dataDirectory, network).flatMap((entry) =>
      "link" in entry ? ["--symlink", entry.link, entry.path] : ["--ro-bind", entry.source, entry.path],
    ),
    "--proc",
    "/proc",
    ...readOnly.flatMap((path) => ["--ro-bind", path, path]),
    ...hidden.flatMap((path) => ["--ro-bind", "/dev/null", path]),
    "--dev",
    "/dev",
  ];
}

const known = new Map<string, string[]>();

/** The part of `bwrap`'s arguments that is the same for every task: computed once. */
export function systemArguments(dataDirectory: string, network: boolean): string[] {
  const key = `${network} ${dataDirectory}`;
  let found = known.get(key);
  if (found === undefined) {
    found = compute(dataDirectory, network);
    known.set(key, found);
  }
  return found;
}
