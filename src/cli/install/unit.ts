/** The roles that a unit may run, and what each needs beyond the common hardening. */
export const UNIT_ROLES = ["up", "serve", "orchestrator", "controller", "runner"] as const;
export type UnitRole = (typeof UNIT_ROLES)[number];

export interface UnitOptions {
  readonly role: UnitRole;
  /** Absolute path of the executable. */
  readonly executable: string;
  /** The account that it runs as. */
  readonly user: string;
  readonly root: string | null;
  /** Further arguments of the command. */
  readonly args: readonly string[];
  readonly runner?: RunnerUnit;
}

/** What a `runner.yaml` asks of its unit. Paths are absolute. */
export interface RunnerUnit {
  /** Directories that it writes, beside /var/lib/lightflow. */
  readonly writable: readonly string[];
  /** Files with credentials, which its user has to own. */
  readonly files: readonly string[];
  /** Host directories that tasks may ask for. */
  readonly mounts: readonly string[];
  /** Credentials that systemd has to pass. */
  readonly credentials: readonly string[];
  /** How long it may take to stop. */
  readonly stopSeconds: number;
}

/** Longer than a runner takes that nobody configured otherwise. */
const STOP_SECONDS = 60;

const isBelow = (path: string, ...parents: string[]): boolean =>
  parents.some((parent) => path === parent || path.startsWith(`${parent}/`));

/** A word of a command line as systemd reads it: `%` and `$` are its own. */
function quoted(word: string): string {
  const escaped = word
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("%", "%%")
    .replaceAll("$", "$$$$");
  return /[^A-Za-z0-9_./:@=,+-]/.test(word) ? `"${escaped}"` : escaped;
}

/**
 * A hardened service unit. Those that execute tasks keep what sandboxes are made of: user namespaces and mounts inside
 * them, and get control groups of their own, so that tasks can be limited. Whatever is mounted over a part of /proc keeps
 * the kernel from mounting another one in a user namespace, and a sandbox has a host name of its own: without a capability
 * neither kernel logs nor the host's name can be reached anyway. Code is compiled at run time, so memory may be written and executed.
 */
export function systemdUnit({ role, executable, user, root, args, runner }: UnitOptions): string {
  const executes = role === "up" || role === "runner";
  const command = [executable, role, ...(root === null ? [] : ["--root", root]), ...args]
    .map(quoted)
    .join(" ");
  const after =
    role === "serve" ? "network-online.target lightflow-orchestrator.service" : "network-online.target";
  const writable = (runner?.writable ?? []).filter((path) => !isBelow(path, "/var/lib/lightflow"));
  // A directory of its own in place of /tmp would hide what the unit needs there.
  const needed = [executable, root ?? "/", ...args, ...writable, ...(runner?.files ?? [])];
  const privateTmp = !needed.some((path) => isBelow(path, "/tmp", "/var/tmp"));
  const forRunner = [
    ...writable.map((path) => `ReadWritePaths=${quoted(path)}`),
    ...(runner?.mounts ?? []).map(
      (path) => `# Where tasks may also write to this mount: ReadWritePaths=${quoted(path)}`,
    ),
    ...(runner?.credentials ?? []).map(
      (name) => `# A secret comes from here: LoadCredential=${name}:/path/to/it`,
    ),
  ].map((line) => `${line}\n`);
  return `[Unit]
Description=LightFlow ${role}
After=${after}
Wants=network-online.target

[Service]
Type=exec
User=${user}
ExecStart=${command}
Restart=on-failure
RestartSec=2
KillMode=mixed
TimeoutStopSec=${Math.max(STOP_SECONDS, runner?.stopSeconds ?? 0)}
UMask=0077

Environment=XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache XDG_RUNTIME_DIR=/run XDG_CONFIG_HOME=/etc
StateDirectory=lightflow
StateDirectoryMode=0700
CacheDirectory=lightflow
CacheDirectoryMode=0700
RuntimeDirectory=lightflow
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ConfigurationDirectory=lightflow
ConfigurationDirectoryMode=0755
${forRunner.join("")}
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=${executes ? "read-only" : "yes"}
PrivateTmp=${privateTmp ? "yes" : "no"}
PrivateDevices=${executes ? "no" : "yes"}
ProtectClock=yes
ProtectHostname=${executes ? "no" : "yes"}
ProtectKernelLogs=${executes ? "no" : "yes"}
ProtectKernelModules=yes
ProtectKernelTunables=${executes ? "no" : "yes"}
ProtectControlGroups=${executes ? "no" : "yes"}
ProtectProc=${executes ? "default" : "invisible"}
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6${executes ? " AF_NETLINK" : ""}
RestrictNamespaces=${executes ? "no" : "yes"}
${executes ? "Delegate=cpu memory pids\n" : ""}RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service${executes ? " @mount seccomp sethostname setdomainname" : ""}
SystemCallErrorNumber=EPERM
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`;
}
