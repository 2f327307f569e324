import { isAbsolute } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { digestOf } from "../base/canonical.ts";
import { fail } from "../base/errors.ts";
import { MIB } from "../base/limits.ts";
import { closed, Digest, keyed, Name, Names, VARIABLE, validate } from "../protocol/index.ts";
import { checkOwnEnvironment } from "./environment.ts";
import { imagesDirectory } from "./images/store.ts";
import { isWithin } from "./sandboxes/mounts.ts";
import { CubeConfig, KubernetesConfig } from "./sandboxes/remote/config.ts";

const Path = Type.String({ minLength: 1, maxLength: 4096, pattern: "^/", description: "an absolute path" });
const Milliseconds = Type.Integer({ minimum: 0, maximum: 366 * 86_400_000 });

const VaultPath = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$",
  maxLength: 512,
});

/** Where the value of one `runner-secret://<name>` comes from. The value itself never stands in a file of ours. */
export const SecretSource = Type.Union([
  /** A variable of the runner's own environment. */
  closed({
    env: Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$", description: "the name of a variable" }),
  }),
  /** A regular file that only its owner may read. */
  closed({ file: Path }),
  /** A credential that systemd passed to the unit (`LoadCredential=`). */
  closed({ credential: Name }),
  /** One field of a secret in Vault's KV version 2 engine, read anew for each task. */
  closed({
    vault: closed({
      /** Where the engine is mounted; `secret` unless said. */
      mount: Type.Optional(VaultPath),
      path: VaultPath,
      field: Type.String({ minLength: 1, maxLength: 256 }),
      /** The newest unless said. */
      version: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
  }),
]);
export type SecretSource = Static<typeof SecretSource>;

/** The Vault that `vault` secrets come from. */
export const VaultConfig = closed({
  /** `https://…`; plain HTTP to this host alone. */
  address: Type.String({
    pattern: "^https?://",
    maxLength: 2048,
    description: "an address with http:// or https://",
  }),
  /** Holds the token: mode 0600, read anew for each secret, so that an agent may renew it. */
  tokenFile: Path,
  namespace: Type.Optional(Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._/-]*$", maxLength: 512 })),
  /** PEM authority of its certificate. */
  ca: Type.Optional(Path),
});
export type VaultConfig = Static<typeof VaultConfig>;

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
      Type.Literal("kubernetes"),
      Type.Literal("cubesandbox"),
      Type.Literal("vm"),
    ]),
  ),
  kubernetes: Type.Optional(KubernetesConfig),
  cube: Type.Optional(CubeConfig),
  /** Host directories below which a lease may ask for mounts. */
  mounts: Type.Optional(Type.Array(Path, { maxItems: 256 })),
  /** Host directories that every bubblewrap sandbox sees, read-only, beside the system's own. */
  readOnlyPaths: Type.Optional(Type.Array(Path, { maxItems: 64 })),
  /** Variables that every task has unless it sets them itself (`PATH`, `JAVA_HOME`): where tools stand, never a secret. */
  environment: Type.Optional(
    keyed(VARIABLE, Type.String({ maxLength: 4096, pattern: "^[^\\u0000]*$" }), { maxProperties: 64 }),
  ),
  /** When present, the only programs a task may name. */
  commands: Type.Optional(Type.Array(Type.Union([Name, Path]), { maxItems: 256 })),
  /** When present, only leases made from one of these approved command templates, by their digest. */
  commandTemplates: Type.Optional(Type.Array(Digest, { maxItems: 256 })),
  /** The Chromium of tasks that have a browser; a runner that proves it offers the capability `browser`. */
  browser: Type.Optional(closed({ executable: Path })),
  secrets: Type.Optional(keyed(Name.pattern!, SecretSource)),
  vault: Type.Optional(VaultConfig),
  /** Public keys of other runners whose provenance a publication here takes, beside this runner's own. */
  trustedBuilders: Type.Optional(
    Type.Array(
      Type.String({ pattern: "^[A-Za-z0-9_-]{43}$", description: "a public key of 43 characters" }),
      { maxItems: 64 },
    ),
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
  /** Where `/healthz`, `/readyz` and `/metrics` are answered: an address of this host alone, with its port. */
  healthAddress: Type.Optional(
    Type.String({
      pattern: "^(127(\\.[0-9]{1,3}){3}|localhost|\\[::1\\]):[0-9]{1,5}$",
      description: "a loopback address with its port, such as 127.0.0.1:9464",
    }),
  ),
});
export type RunnerConfig = Static<typeof RunnerConfig>;

/** A configuration with every default filled in. */
export interface EffectiveConfig
  extends Required<
    Omit<
      RunnerConfig,
      | "healthAddress"
      | "browser"
      | "vault"
      | "kubernetes"
      | "cube"
      | "imageDigest"
      | "vmImageId"
      | "commands"
      | "commandTemplates"
      | "taskMemoryBytes"
      | "taskProcesses"
    >
  > {
  readonly taskProcesses: number | undefined;
  readonly taskMemoryBytes: number | undefined;
  readonly healthAddress: string | undefined;
  readonly browser: { readonly executable: string } | undefined;
  readonly vault: VaultConfig | undefined;
  readonly kubernetes: KubernetesConfig | undefined;
  readonly cube: CubeConfig | undefined;
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
  for (const path of [config.dataDirectory, ...(config.mounts ?? []), ...(config.readOnlyPaths ?? [])]) {
    if (!isAbsolute(path) || path.split("/").includes("..")) {
      throw fail("invalid_request", `${path} must be an absolute path without ".."`);
    }
  }
  checkVault(config);
  checkSandbox(config);
  checkReadOnlyPaths(config);
  checkOwnEnvironment(config.environment ?? {});
  return {
    ...config,
    runnerKind: config.runnerKind ?? "local",
    capabilities: config.capabilities ?? [],
    sandbox: config.sandbox ?? "auto",
    imagesDirectory: config.imagesDirectory ?? imagesDirectory(config.dataDirectory),
    mounts: config.mounts ?? [],
    readOnlyPaths: config.readOnlyPaths ?? [],
    environment: config.environment ?? {},
    commands: config.commands,
    commandTemplates: config.commandTemplates,
    secrets: config.secrets ?? {},
    trustedBuilders: config.trustedBuilders ?? [],
    workspacePolicy: config.workspacePolicy ?? "per-lease",
    networkZone: config.networkZone ?? "default",
    secretPolicy: config.secretPolicy ?? "task-scoped",
    modelProviderScopes: config.modelProviderScopes ?? [],
    healthAddress: config.healthAddress,
    browser: config.browser,
    vault: config.vault,
    kubernetes: config.kubernetes,
    cube: config.cube,
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

/** Where a secret of the runner stands as it is. */
export const credentialFiles = ({ secrets, vault }: Pick<RunnerConfig, "secrets" | "vault">): string[] => [
  ...Object.values(secrets ?? {}).flatMap((source) => ("file" in source ? [source.file] : [])),
  ...(vault === undefined ? [] : [vault.tokenFile]),
];

/** What every task sees holds nothing of the runner's own. */
function checkReadOnlyPaths(config: RunnerConfig): void {
  for (const path of config.readOnlyPaths ?? []) {
    const inside = [config.dataDirectory, ...credentialFiles(config)].find((own) => isWithin(own, path));
    if (inside !== undefined)
      throw fail(
        "invalid_request",
        `/readOnlyPaths: every task would see ${inside}, which lies below ${path}`,
        {
          hint: "name the directories that tools need, such as /opt/jdk",
        },
      );
  }
}

/** What a kind of sandbox needs to be told. */
function checkSandbox({ sandbox, kubernetes, cube, vmImageId, secrets }: RunnerConfig): void {
  const missing = (key: string, example: string) =>
    fail("invalid_request", `/sandbox: ${sandbox} needs ${JSON.stringify(key)} in the configuration`, {
      hint: `start the runner with --config runner.yaml that has ${key}: ${example}`,
    });
  if (sandbox === "kubernetes" && kubernetes === undefined)
    throw missing("kubernetes", "{apiServer, namespace, image, volumeClaim}");
  if (sandbox === "cubesandbox" && cube === undefined) throw missing("cube", "{url, keyReference, template}");
  if (sandbox === "vm" && vmImageId === undefined)
    throw missing("vmImageId", "the id of the machine's image");
  if (cube !== undefined && secrets?.[cube.keyReference] === undefined)
    throw fail("invalid_request", `/cube/keyReference: there is no secret named ${cube.keyReference}`);
}

function checkVault({ vault, secrets }: RunnerConfig): void {
  const named = Object.entries(secrets ?? {}).find(([, source]) => "vault" in source)?.[0];
  if (vault === undefined) {
    if (named === undefined) return;
    throw fail("invalid_request", `/secrets/${named}: there is no "vault" to read it from`, {
      hint: "add vault: {address, tokenFile}",
    });
  }
  const url = URL.canParse(vault.address) ? new URL(vault.address) : null;
  if (url === null || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw fail("invalid_request", `/vault/address: ${vault.address} is not the address of a server`);
  }
  if (url.protocol === "http:" && !/^(127\.|localhost$|\[::1\]$)/.test(url.hostname)) {
    throw fail("invalid_request", "/vault/address: secrets would cross the network in the clear", {
      hint: "use https, or a Vault agent on this host",
    });
  }
}
