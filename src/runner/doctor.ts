import { accessSync, constants, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Failure, toFailure } from "../base/errors.ts";
import { makePrivateDirectory, writeFileDurable } from "../base/files.ts";
import { MIB } from "../base/limits.ts";
import { readPrivateFile } from "../base/private-file.ts";
import { PROTOCOL_HEADER, PROTOCOL_VERSION } from "../protocol/index.ts";
import { type EffectiveConfig, effectiveConfig } from "./config.ts";
import { lackOf, roomOf } from "./disk-room.ts";
import { probeCopyMethods } from "./files/copy-methods.ts";
import { Journal } from "./journal/journal.ts";
import { isRemote, remoteSandbox } from "./sandbox-choice.ts";
import {
  type OciProbe,
  openProvenCgroups,
  type ProbeResult,
  probeOci,
  probeSandboxes,
} from "./sandboxes/index.ts";
import { checkSecret } from "./secrets.ts";
import type { Fetch } from "./wire/client.ts";
import { networkFailure } from "./wire/network-reason.ts";
import { fetchWith, readTls, type TlsFiles } from "./wire/tls.ts";

/** What one check found. `remedy` says what to do, and is null when there is nothing to do. */
export interface RunnerCheck {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly detail: string;
  readonly remedy: string | null;
}

export interface RunnerDoctorOptions {
  readonly controllerUrl?: string;
  /** The enrolment token, and what the connection shows: files that have to be private. */
  readonly credentialFile?: string | null;
  readonly tls?: TlsFiles;
  readonly fetch?: Fetch;
}

/** A clock further from the controller's than this makes the times in results hard to read; nothing depends on it. */
const CLOCK_TOLERANCE_MS = 5_000;
const CONTROLLER_TIMEOUT_MS = 5_000;

const ok = (name: string, detail: string): RunnerCheck => ({ name, status: "ok", detail, remedy: null });

/** One check that fails by throwing. */
async function attempt(
  name: string,
  remedy: string,
  work: () => Promise<string> | string,
): Promise<RunnerCheck> {
  try {
    return ok(name, await work());
  } catch (error) {
    const failure = toFailure(error);
    return { name, status: "fail", detail: failure.message, remedy: failure.hint ?? remedy };
  }
}

/** Several checks, or the one failure that kept them from being made: a full disk, above all. */
async function tried(name: string, work: () => Promise<RunnerCheck[]>): Promise<RunnerCheck[]> {
  let found: RunnerCheck[] = [];
  const failed = await attempt(name, "mend what the checks above say, and try again", async () => {
    found = await work();
    return "";
  });
  return failed.status === "ok" ? found : [failed];
}

function checkDirectory(config: EffectiveConfig): string {
  makePrivateDirectory(config.dataDirectory);
  const probe = `${config.dataDirectory}/doctor`;
  writeFileDurable(probe, "written and synced\n");
  rmSync(probe, { force: true });
  return `${config.dataDirectory} can be written and synced`;
}

async function checkJournal(config: EffectiveConfig): Promise<string> {
  try {
    const journal = new Journal(config.dataDirectory);
    const unfinished = journal.unfinished().length;
    await journal.close();
    return unfinished === 0
      ? "no lease is unfinished"
      : `${unfinished} leases are unfinished; the next start reports them`;
  } catch (error) {
    // A running runner holds its journal: that is how it should be.
    if (error instanceof Failure && error.code === "conflict") return "in use by a running runner";
    throw error;
  }
}

function checkDisk(config: EffectiveConfig): string {
  const room = roomOf(config.dataDirectory);
  const free = `${Math.floor(room.bytes / MIB)} MiB${room.files === Number.POSITIVE_INFINITY ? "" : ` and ${room.files} files`} free`;
  const lacks = lackOf(room, config.minimumFreeBytes);
  if (lacks === null) return free;
  throw new Failure("unavailable", `${free} on the disk of ${config.dataDirectory}: it takes no work`, {
    ...(lacks === "space"
      ? {
          hint: `free some space, move the data directory, or lower minimumFreeBytes (${config.minimumFreeBytes})`,
        }
      : { hint: "remove files (df -i), or move the data directory" }),
  });
}

/** What to do where a control could not be shown. */
const REMEDIES: Readonly<Record<string, string>> = {
  "network-open":
    "leases with an open network are not offered to this runner; look at the network of this host",
  "file-isolation": "give the runner a data directory that its user alone can read, and try again",
  "read-only-system": "leave /usr and /proc/sys to root: mount them read-only for this machine",
  seccomp: "use a kernel with CONFIG_SECCOMP_FILTER, on x64 or arm64",
  "capabilities-dropped": "update bubblewrap or the OCI runtime",
  "no-new-privileges": "update bubblewrap or the OCI runtime",
};

/** Whichever it is, a copy means the same; a plain one costs time and space. */
async function checkCopies({ dataDirectory }: EffectiveConfig): Promise<RunnerCheck[]> {
  const { overlay, overlayDetail, reflink, reflinkDetail } = await probeCopyMethods(dataDirectory);
  // What another way stands in for is not missed, and the words of `cp` would read like a failure.
  const instead = (detail: string, proven: boolean) =>
    !proven && (overlay || reflink) ? "not on this file system, and not needed" : detail;
  const remedy =
    "put the data directory on a file system of its own kind (ext4, xfs, btrfs), and allow user namespaces: else each copy of a workspace takes its time and space";
  return [
    { name: "copies: overlay", proven: overlay, detail: overlayDetail },
    { name: "copies: reflink", proven: reflink, detail: reflinkDetail },
  ].map(({ name, proven, detail }) => ({
    name,
    // One of the two is enough.
    status: proven || overlay || reflink ? "ok" : "warn",
    detail: instead(detail, proven),
    remedy: proven || overlay || reflink ? null : remedy,
  }));
}

async function checkSandboxes(config: EffectiveConfig): Promise<RunnerCheck[]> {
  if (isRemote(config)) return [await checkRemote(config)];
  // Not in the data directory itself: a running runner's sandboxes use the files that a probe writes.
  const dataDirectory = mkdtempSync(join(config.dataDirectory, "doctor-"));
  const own = { ...config, dataDirectory };
  try {
    const probe = await probeSandboxes(own);
    const containers = await probeOci(own, await openProvenCgroups(dataDirectory));
    return [
      ...checksOf("bubblewrap", probe, config),
      ...checksOf("oci", containers, config),
      probe.process.capability.features.includes("process-limit")
        ? ok("limits", "memory and processes of a task can be limited")
        : {
            name: "limits",
            status: "warn",
            detail: "this host lets the runner limit neither memory nor processes of a task",
            remedy:
              "run it as a systemd unit with Delegate=yes (lightflow runner install --systemd), or as root",
          },
      ...(await checkBrowser(own, probe, containers)),
    ];
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}

function checksOf(
  kind: "bubblewrap" | "oci",
  { checks, remedy }: Pick<OciProbe, "checks" | "remedy">,
  config: EffectiveConfig,
): RunnerCheck[] {
  return checks.map(({ name, proven, detail }) => ({
    name: name === kind ? `sandbox: ${kind}` : `sandbox ${kind}: ${name}`,
    status: proven ? "ok" : config.sandbox === kind ? "fail" : "warn",
    detail,
    remedy: proven
      ? null
      : (REMEDIES[name] ?? remedy ?? "leases that need it are not offered to this runner"),
  }));
}

const checkRemote = (config: EffectiveConfig): Promise<RunnerCheck> =>
  attempt(
    `sandbox: ${config.sandbox}`,
    config.sandbox === "kubernetes"
      ? "check apiServer, caFile and tokenFile, and the rights of the service account (docs/13-runner.md)"
      : "check url and the key that keyReference names",
    async () => {
      const found = await (await remoteSandbox(config)).check!();
      return config.sandbox === "kubernetes" && config.kubernetes?.networkPolicy !== true
        ? `${found}; tasks with network deny-all are refused without networkPolicy: true`
        : found;
    },
  );

/** Tried in the sandbox that its tasks would get. */
async function checkBrowser(
  config: EffectiveConfig,
  { bubblewrap, remedy }: ProbeResult,
  { oci }: OciProbe,
): Promise<RunnerCheck[]> {
  if (config.browser === undefined) return [];
  const fitting =
    config.sandbox === "oci" ? oci : /^(auto|bubblewrap)$/.test(config.sandbox) ? bubblewrap : null;
  const providers = fitting === null ? [] : [fitting];
  return [
    await attempt("browser", "see the message, or take it out of the configuration", async () => {
      const { proveBrowser } = await import("./browser/prove.ts");
      const { executable, digest, provider, version } = await proveBrowser(config, { providers, remedy });
      return `${version} runs in ${provider}: ${executable} ${digest}`;
    }),
  ];
}

async function checkController(url: string, send: Fetch): Promise<RunnerCheck[]> {
  const remedy = "check the address, the network, and that lightflow controller is running there";
  let skew: number | null = null;
  const reached = await attempt("controller", remedy, async () => {
    const asked = Date.now();
    const response = await send(`${url.replace(/\/+$/, "")}/health`, {
      headers: { [PROTOCOL_HEADER]: PROTOCOL_VERSION },
      redirect: "error",
      signal: AbortSignal.timeout(CONTROLLER_TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw networkFailure(url, error);
    });
    const version = response.headers.get(PROTOCOL_HEADER);
    if (!response.ok || version === null) {
      throw new Failure("unavailable", `${url} answered ${response.status}, not as a controller does`, {});
    }
    const there = Date.parse(response.headers.get("date") ?? "");
    if (Number.isFinite(there)) skew = there - (asked + Date.now()) / 2;
    return `${url} speaks protocol ${version}`;
  });
  if (skew === null) return [reached];
  const seconds = Math.round(Math.abs(skew) / 1000);
  return [
    reached,
    Math.abs(skew) <= CLOCK_TOLERANCE_MS
      ? ok("clock", "agrees with the controller's")
      : {
          name: "clock",
          status: "warn",
          detail: `${seconds} s away from the controller's: times in results will look wrong`,
          remedy: "synchronise the clock (systemd-timesyncd or chrony); leases do not depend on it",
        },
  ];
}

/**
 * Everything that a runner of this configuration would claim or need, each tried for real. Nothing is left behind
 * but the data directory itself.
 */
export async function diagnoseRunner(
  value: unknown,
  options: RunnerDoctorOptions = {},
): Promise<RunnerCheck[]> {
  let config: EffectiveConfig;
  try {
    config = effectiveConfig(value);
  } catch (error) {
    const { message, hint = "correct the named field" } = toFailure(error);
    return [{ name: "configuration", status: "fail", detail: message, remedy: hint }];
  }
  const checks = [
    ok("configuration", config.configHash),
    await attempt("data directory", "give the runner's user a directory of its own on a disk with room", () =>
      checkDirectory(config),
    ),
  ];
  if (checks[1]!.status === "fail") return checks;
  checks.push(
    await attempt("journal", `look at ${config.dataDirectory}/journal, and keep it: it says what ran`, () =>
      checkJournal(config),
    ),
    await attempt("disk", "free some space, or move the data directory", () => checkDisk(config)),
    ...(await tried("sandboxes", () => checkSandboxes(config))),
    ...(await tried("copies", () => checkCopies(config))),
  );
  for (const path of config.mounts) {
    checks.push(
      await attempt(`mount ${path}`, `create ${path}, or take it out of "mounts"`, () => {
        if (!existsSync(path)) throw new Failure("not_found", `${path} does not exist`, {});
        accessSync(path, constants.R_OK);
        return "can be read";
      }),
    );
  }
  for (const name of Object.keys(config.secrets)) {
    checks.push(
      await attempt(`secret ${name}`, "provide it, or take it out of the configuration", async () => {
        await checkSecret(name, config);
        return "can be resolved";
      }),
    );
  }
  const { credentialFile = null, tls = {}, controllerUrl } = options;
  if (credentialFile !== null) {
    const remedy = "lightflow runner enroll writes one";
    checks.push(
      await attempt("credential", remedy, () => {
        readPrivateFile(credentialFile);
        return `${credentialFile} is private`;
      }),
    );
  }
  let send = options.fetch ?? fetch;
  if (Object.keys(tls).length > 0) {
    checks.push(
      await attempt("certificates", 'correct "tls" in the configuration, or the file that it names', () => {
        send = fetchWith(readTls(tls));
        return "can be read";
      }),
    );
  }
  if (controllerUrl !== undefined) checks.push(...(await checkController(controllerUrl, send)));
  return checks;
}
