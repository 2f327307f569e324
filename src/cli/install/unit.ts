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
}

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
 * them, and get control groups of their own, so that tasks can be limited. Code is compiled at run time, so memory may be written and executed.
 */
export function systemdUnit({ role, executable, user, root, args }: UnitOptions): string {
  const executes = role === "up" || role === "runner";
  const command = [executable, role, ...(root === null ? [] : ["--root", root]), ...args]
    .map(quoted)
    .join(" ");
  const after =
    role === "serve" ? "network-online.target lightflow-orchestrator.service" : "network-online.target";
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
TimeoutStopSec=60
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
ConfigurationDirectoryMode=0700

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=${executes ? "read-only" : "yes"}
PrivateTmp=yes
PrivateDevices=${executes ? "no" : "yes"}
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
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
SystemCallFilter=@system-service${executes ? " @mount @sandbox" : ""}
SystemCallErrorNumber=EPERM
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`;
}
