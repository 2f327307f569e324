import { mkdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { openArtifacts } from "../artifacts/index.ts";
import { isoTime, systemClock } from "../base/clock.ts";
import { fail } from "../base/errors.ts";
import { type Log, silentLog } from "../base/log.ts";
import { Lease, type LeaseState, type TaskResult, UnsignedLease, validate } from "../protocol/index.ts";
import { effectiveConfig, type RunnerConfig } from "./config.ts";
import { openWorkspaces } from "./files/workspaces.ts";
import { loadIdentity } from "./identity.ts";
import { ImageStore } from "./images/store.ts";
import { Journal } from "./journal/journal.ts";
import type { Reporter } from "./lease/reporter.ts";
import { LeaseRun } from "./lease/run.ts";
import { chooseProvider, usableSandboxes } from "./sandbox-choice.ts";
import { receive } from "./wire/receive.ts";

export interface ExecOptions {
  /** Journal, workspaces and `artifacts/`; made when missing. */
  readonly dataDirectory: string;
  readonly sandbox?: RunnerConfig["sandbox"];
  readonly secrets?: RunnerConfig["secrets"];
  readonly browser?: RunnerConfig["browser"];
  /** Task output as it comes; by default both streams go to stderr. */
  readonly write?: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  readonly log?: Log;
  /** Aborting cancels the task. */
  readonly signal?: AbortSignal;
}

/**
 * Run one lease with no controller, for development: the same path as a real one, from the journal to the result,
 * with the wire replaced by this process. A signature is neither needed nor checked; artifacts go to
 * `<dataDirectory>/artifacts`. A lease runs once: a second call with the same id is refused.
 * @throws Failure `schema_violation`, `lease_used`, `feature_unsupported`
 */
export async function execLease(value: unknown, options: ExecOptions): Promise<TaskResult> {
  const lease = asLease(value);
  mkdirSync(options.dataDirectory, { recursive: true, mode: 0o700 });
  const config = effectiveConfig({
    runnerId: lease.runnerId,
    tenantId: lease.tenantId,
    hostId: lease.hostId,
    runnerPools: [lease.runnerPool],
    executionProfiles: [lease.executionProfile],
    dataDirectory: realpathSync(options.dataDirectory),
    slots: 1,
    mounts: ["/"],
    ...(options.sandbox === undefined ? {} : { sandbox: options.sandbox }),
    ...(options.secrets === undefined ? {} : { secrets: options.secrets }),
    ...(options.browser === undefined ? {} : { browser: options.browser }),
  } satisfies RunnerConfig);
  const sandboxes = await usableSandboxes(config);
  const provider = chooseProvider(lease, sandboxes);
  const journal = new Journal(config.dataDirectory);
  const silence = new AbortController();
  try {
    if (journal.find(lease.leaseId) !== null) {
      throw fail("lease_used", `lease ${lease.leaseId} was run here before`, {
        hint: "give it a new leaseId, or another data directory",
      });
    }
    const end = Promise.withResolvers<TaskResult>();
    const reporter = localReporter(lease, config.dataDirectory, options, end.resolve);
    const services = {
      config,
      journal,
      workspaces: openWorkspaces(config.dataDirectory, config.workspaceRetentionMs),
      images: new ImageStore(config.imagesDirectory),
      browser: sandboxes.browser,
      key: loadIdentity(config.dataDirectory),
      ownSecrets: () => [],
      broker: undefined,
      clock: systemClock,
      log: options.log ?? silentLog,
      at: () => {},
      counts: { results: new Map(), logBytes: 0 },
      signal: silence.signal,
    };
    const run = new LeaseRun(services, lease, provider, reporter);
    const cancel = () => run.cancel(lease.fencingToken);
    options.signal?.addEventListener("abort", cancel, { once: true });
    if (options.signal?.aborted) cancel();
    try {
      await run.done;
    } finally {
      options.signal?.removeEventListener("abort", cancel);
    }
    return await end.promise;
  } finally {
    silence.abort();
    await journal.close();
  }
}

function asLease(value: unknown): Lease {
  const signed = typeof value === "object" && value !== null && "signature" in value;
  if (signed) return validate(Lease, value, "schema_violation");
  return { ...validate(UnsignedLease, value, "schema_violation"), signature: "-".repeat(86) };
}

function localReporter(
  lease: Lease,
  dataDirectory: string,
  options: ExecOptions,
  onResult: (result: TaskResult) => void,
): Reporter {
  const artifacts = openArtifacts(join(dataDirectory, "artifacts"));
  const write = options.write ?? ((_stream, bytes) => void process.stderr.write(bytes));
  // No server, no expiry: the lease lasts as long as its task may.
  const granted = (): LeaseState => ({
    state: "started",
    expiresAt: isoTime(Date.now() + lease.deadlineMs + 600_000),
    remainingMs: lease.deadlineMs + 600_000,
    directives: [],
  });
  return {
    started: async () => granted(),
    renew: async () => granted(),
    log: async (spool, seq, bytes) => {
      write(spool.stream, bytes);
      return seq + 1;
    },
    artifact: async (source) => {
      await artifacts.put(source.body(), source.sha256);
    },
    file: async (sha256, path) => await receive(artifacts.open(sha256).stream(), sha256, path),
    reject: async () => {},
    result: async (result) => onResult(result),
  };
}
