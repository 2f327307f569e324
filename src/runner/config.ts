import { isAbsolute } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { digestOf } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { MIB } from "../base/limits.ts";
import { closed, Digest, Name, Names, validate } from "../protocol/index.ts";
import { imagesDirectory } from "./images/store.ts";

const Path = Type.String({ minLength: 1, maxLength: 4096, pattern: "^/" });
const Milliseconds = Type.Integer({ minimum: 0, maximum: 366 * 86_400_000 });

/** Where the value of one `runner-secret://<name>` comes from. The value itself never stands in a file of ours. */
export const SecretSource = Type.Union([
  /** A variable of the runner's own environment. */
  closed({ env: Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }) }),
  /** A regular file that only its owner may read. */
  closed({ file: Path }),
  /** A credential that systemd passed to the unit (`LoadCredential=`). */
  closed({ credential: Name }),
]);
export type SecretSource = Static<typeof SecretSource>;

/** What a runner is told about itself (`runner.yaml`, or the host that embeds it). Unknown keys are refused. */
export const RunnerConfig = closed({
  runnerId: Name,
  tenantId: Name,
  hostId: Name,
  runnerKind: Type.Optional(Name),
  runnerPools: Names,
  executionProfiles: Names,
  capabilities: Type.Optional(Names),
  /** Journal, workspaces, log spools: made with mode 0700, used by one runner at a time. */
  dataDirectory: Path,
  /** Images for `run.container`, as `lightflow runner import` brings them; `images` below the data directory unless said. */
  imagesDirectory: Type.Optional(Path),
  /** Tasks at once. */
  slots: Type.Integer({ minimum: 1, maximum: 1024 }),
  /** `auto`: bubblewrap when it is proven to isolate, else a plain process. Any other: that kind alone. */
  sandbox: Type.Optional(
    Type.Union([
      Type.Literal("auto"),
      Type.Literal("process"),
      Type.Literal("bubblewrap"),
      Type.Literal("oci"),
    ]),
  ),
  /** Host directories below which a lease may ask for mounts. */
  mounts: Type.Optional(Type.Array(Path, { maxItems: 256 })),
  /** Host directories that every bubblewrap sandbox sees, read-only, beside the system's own. */
  readOnlyPaths: Type.Optional(Type.Array(Path, { maxItems: 64 })),
  /** When present, the only programs a task may name. */
  commands: Type.Optional(Type.Array(Type.Union([Name, Path]), { maxItems: 256 })),
  /** When present, only leases made from one of these approved command templates, by their digest. */
  commandTemplates: Type.Optional(Type.Array(Digest, { maxItems: 256 })),
  secrets: Type.Optional(Type.Record(Name, SecretSource)),
  /** Public keys of other runners whose provenance a publication here takes, beside this runner's own. */
  trustedBuilders: Type.Optional(
    Type.Array(Type.String({ pattern: "^[A-Za-z0-9_-]{43}$" }), { maxItems: 64 }),
  ),
  workspacePolicy: Type.Optional(Name),
  networkZone: Type.Optional(Name),
  secretPolicy: Type.Optional(Name),
  modelProviderScopes: Type.Optional(Names),
  imageDigest: Type.Optional(Digest),
  vmImageId: Type.Optional(Name),
  /** A session workspace that no task used for this long is removed. */
  workspaceRetentionMs: Type.Optional(Milliseconds),
  /** How long a drain waits for running tasks before it stops them. */
  drainMs: Type.Optional(Milliseconds),
  killGraceMs: Type.Optional(Milliseconds),
  /**
   * Limits of every task, below which a lease may ask for less. They cost some milliseconds at each start (the kernel
   * moves the task into a group of its own), so there are none unless they are asked for.
   */
  taskProcesses: Type.Optional(Type.Integer({ minimum: 16 })),
  taskMemoryBytes: Type.Optional(Type.Integer({ minimum: 16 * MIB })),
  /** Size of the private /tmp and /dev/shm of a sandbox. */
  temporaryBytes: Type.Optional(Type.Integer({ minimum: MIB })),
  /** Below this much free disk the runner says it is unhealthy and gets no work. */
  minimumFreeBytes: Type.Optional(Type.Integer({ minimum: 0 })),
});
export type RunnerConfig = Static<typeof RunnerConfig>;

/** A configuration with every default filled in. */
export interface EffectiveConfig
  extends Required<
    Omit<
      RunnerConfig,
      "imageDigest" | "vmImageId" | "commands" | "commandTemplates" | "taskMemoryBytes" | "taskProcesses"
    >
  > {
  readonly taskProcesses: number | undefined;
  readonly taskMemoryBytes: number | undefined;
  readonly imageDigest: string | undefined;
  readonly vmImageId: string | undefined;
  readonly commands: string[] | undefined;
  readonly commandTemplates: string[] | undefined;
  readonly configHash: string;
  readonly commandAllowlistHash: string;
}

/** @throws Failure `invalid_request` that names the first field that is wrong */
export function effectiveConfig(value: unknown): EffectiveConfig {
  const config = validate(RunnerConfig, value);
  for (const path of [config.dataDirectory, ...(config.mounts ?? [])]) {
    if (!isAbsolute(path) || path.split("/").includes("..")) {
      throw fail("invalid_request", `${path} must be an absolute path without ".."`);
    }
  }
  return {
    ...config,
    runnerKind: config.runnerKind ?? "local",
    capabilities: config.capabilities ?? [],
    sandbox: config.sandbox ?? "auto",
    imagesDirectory: config.imagesDirectory ?? imagesDirectory(config.dataDirectory),
    mounts: config.mounts ?? [],
    readOnlyPaths: config.readOnlyPaths ?? [],
    commands: config.commands,
    commandTemplates: config.commandTemplates,
    secrets: config.secrets ?? {},
    trustedBuilders: config.trustedBuilders ?? [],
    workspacePolicy: config.workspacePolicy ?? "per-lease",
    networkZone: config.networkZone ?? "default",
    secretPolicy: config.secretPolicy ?? "task-scoped",
    modelProviderScopes: config.modelProviderScopes ?? [],
    imageDigest: config.imageDigest,
    vmImageId: config.vmImageId,
    workspaceRetentionMs: config.workspaceRetentionMs ?? 86_400_000,
    // A supervisor kills after 45 s; this leaves it time to see the result off.
    drainMs: config.drainMs ?? 29_000,
    killGraceMs: config.killGraceMs ?? 5_000,
    taskProcesses: config.taskProcesses,
    taskMemoryBytes: config.taskMemoryBytes,
    temporaryBytes: config.temporaryBytes ?? 512 * MIB,
    minimumFreeBytes: config.minimumFreeBytes ?? 64 * MIB,
    configHash: digestOf(config),
    commandAllowlistHash: digestOf([...(config.commands ?? []), ...(config.commandTemplates ?? [])]),
  };
}
