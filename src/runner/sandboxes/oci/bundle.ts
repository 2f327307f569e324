import { existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SandboxRequest } from "../sandbox.ts";
import { seccompProfile } from "../seccomp.ts";
import { guardedProc, networkEntries, type SystemEntry, systemEntries } from "../system-root.ts";
import { taskMounts } from "../task-mounts.ts";
import { makeMemoryDirectory, memoryDirectory } from "./memory-directory.ts";

export interface BundleOptions {
  readonly dataDirectory: string;
  readonly readOnlyPaths: readonly string[];
  readonly temporaryBytes: number;
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const BIND = ["rbind", "nosuid", "nodev"];
const bind = (source: string, destination: string, readOnly: boolean): OciMount => ({
  destination,
  type: "bind",
  source,
  options: [...BIND, readOnly ? "ro" : "rw"],
});

/**
 * A bundle of the OCI runtime specification 1.0.2 for one task: an empty root with the host's system mounted into it,
 * or the root of an image. No capabilities, no new privileges, a user namespace with one user, no devices but the
 * harmless ones.
 * @returns the bundle's directory
 */
export function writeBundle(options: BundleOptions, request: SandboxRequest, cgroup: string | null): string {
  const bundle = join(bundlesDirectory(options.dataDirectory), request.operationId);
  const root = join(bundle, "rootfs");
  makeMemoryDirectory(memoryDirectory(options.dataDirectory));
  mkdirSync(root, { recursive: true, mode: 0o755 });
  const mounts: OciMount[] = [];
  const entries =
    request.imageRoot === undefined
      ? systemEntries(options.dataDirectory, request.network === "open")
      : imageEntries(request.imageRoot, request.network === "open");
  for (const entry of entries) {
    if (!("link" in entry)) {
      mounts.push(bind(entry.source, entry.path, true));
      continue;
    }
    mkdirSync(dirname(join(root, entry.path)), { recursive: true });
    symlinkSync(entry.link, join(root, entry.path));
  }
  const configuration = ociConfiguration(options, request, root, mounts, cgroup);
  writeFileSync(join(bundle, "config.json"), JSON.stringify(configuration), { mode: 0o600 });
  return bundle;
}

/** What the sandbox makes itself, whatever an image has there. */
const OWN = new Set(["proc", "sys", "dev", "tmp"]);

/** Each entry of an image's root, read-only: the root itself is the bundle's, so that mounts never touch the image. */
function imageEntries(root: string, network: boolean): SystemEntry[] {
  const entries = readdirSync(root, { withFileTypes: true })
    .filter(({ name }) => !OWN.has(name))
    .map((entry): SystemEntry => {
      const path = `/${entry.name}`;
      const source = join(root, entry.name);
      return entry.isSymbolicLink() ? { path, link: readlinkSync(source) } : { path, source };
    });
  return network
    ? [...entries, ...networkEntries().filter(({ path }) => existsSync(join(root, path)))]
    : entries;
}

export const bundlesDirectory = (dataDirectory: string): string =>
  join(memoryDirectory(dataDirectory), "bundles");
/** Of the runtime, which keeps a copy of the configuration. */
export const stateDirectory = (dataDirectory: string): string =>
  join(memoryDirectory(dataDirectory), "state");

function ociConfiguration(
  options: BundleOptions,
  request: SandboxRequest,
  root: string,
  system: readonly OciMount[],
  cgroup: string | null,
) {
  const own = (id: number) => [{ containerID: 0, hostID: id, size: 1 }];
  const { readOnly, hidden } = guardedProc();
  const seccomp = seccompProfile();
  const temporary = (destination: string, mode: string): OciMount => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", `mode=${mode}`, `size=${options.temporaryBytes}`],
  });
  const namespaces = [
    "user",
    "pid",
    "ipc",
    "uts",
    "mount",
    // A kernel may lack it.
    ...(existsSync("/proc/self/ns/cgroup") ? ["cgroup"] : []),
    ...(request.network === "open" ? [] : ["network"]),
  ];
  const { memoryBytes, processes } = request;
  return {
    ociVersion: "1.0.2",
    hostname: "lightflow",
    root: { path: root, readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: [request.command, ...request.arguments],
      env: Object.entries(request.environment).map(([name, value]) => `${name}=${value}`),
      cwd: request.directory,
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      rlimits: [{ type: "RLIMIT_CORE", hard: 0, soft: 0 }],
    },
    mounts: [
      ...system,
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
      temporary("/dev/shm", "1777"),
      temporary("/tmp", "1777"),
      ...(request.imageRoot === undefined
        ? options.readOnlyPaths.filter((path) => existsSync(path))
        : []
      ).map((path) => bind(path, path, true)),
      ...taskMounts(options.dataDirectory, request).map(({ source, target, readOnly: fixed }) =>
        source === null ? temporary(target, "700") : bind(source, target, fixed),
      ),
    ],
    linux: {
      uidMappings: own(process.getuid?.() ?? 0),
      gidMappings: own(process.getgid?.() ?? 0),
      namespaces: namespaces.map((type) => ({ type })),
      maskedPaths: hidden,
      readonlyPaths: readOnly,
      ...(seccomp === null ? {} : { seccomp }),
      ...(cgroup === null
        ? {}
        : {
            cgroupsPath: cgroup,
            resources: {
              ...(memoryBytes === undefined ? {} : { memory: { limit: memoryBytes, swap: memoryBytes } }),
              ...(processes === undefined ? {} : { pids: { limit: processes } }),
            },
          }),
    },
  };
}
