import { sha256 } from "../../../base/canonical.ts";
import { Failure, fail, toFailure } from "../../../base/errors.ts";
import { isWithin } from "../mounts.ts";
import type { ProcessExit, SandboxProvider, SandboxRequest } from "../sandbox.ts";
import { type KubernetesApi, type KubernetesConnection, kubernetesApi, nameOf } from "./kubernetes-api.ts";
import {
  jobName,
  jobOf,
  type KubernetesJobOptions,
  LEASE_LABEL,
  OWNER_LABEL,
  REQUEST_ANNOTATION,
  START_MS,
  secretOf,
} from "./kubernetes-job.ts";
import type { V1Pod } from "./kubernetes-library.ts";
import { type RemoteBackend, type RemoteOutput, remoteProvider } from "./provider.ts";
import { exitOf } from "./signals.ts";

export interface KubernetesOptions extends KubernetesConnection, Omit<KubernetesJobOptions, "owner"> {
  readonly runnerId: string;
  /** Whether the namespace closes the network of pods labelled `lightflow.dev/network: deny-all`. */
  readonly networkPolicy: boolean;
}

const GONE_MS = 60_000;
/** How long output may still come after the container's end was seen. */
const TAIL_MS = 5_000;
/** How long the API may be away before nobody knows what became of the command. */
const SILENT_MS = 120_000;
/** Output that waits for the runner; more means that it cannot keep up. */
const WAITING_BYTES = 64 << 20;
/** The cluster fetches it: what a tag means may change between policy's look at it and the start. */
const BY_DIGEST = /^[a-z0-9][A-Za-z0-9._/:-]{0,255}@sha256:[0-9a-f]{64}$/;
const NO_START =
  /^(?:ErrImagePull|ImagePullBackOff|InvalidImageName|CreateContainerError|RunContainerError)$/;

const stateOf = (pod: V1Pod) => pod.status?.containerStatuses?.[0]?.state;

/** A task as a Kubernetes Job of one pod, whose workspace is on a volume that the runner shares with it. */
export function kubernetesSandbox(options: KubernetesOptions): SandboxProvider {
  const api = kubernetesApi(options);
  const owner = sha256(`${options.runnerId}\n${options.dataDirectory}`).slice(0, 32);
  const job: KubernetesJobOptions = { ...options, owner };
  const selector = (operationId: string) => `${LEASE_LABEL}=${operationId},${OWNER_LABEL}=${owner}`;

  /** The one pod of an operation as it changes, until `decide` has an answer. @throws what means "nobody knows" */
  const follow = async <T>(
    operationId: string,
    decide: (pod: V1Pod | null) => T | undefined,
    signal: AbortSignal,
  ): Promise<T> => {
    let silentSince = performance.now();
    for (;;) {
      try {
        const { items, version } = await api.list("pods", selector(operationId));
        silentSince = performance.now();
        if (items.length > 1) {
          const names = items.map(nameOf).join(", ");
          throw fail("execution_outcome_unknown", `two pods carry the same lease: ${names}`);
        }
        const decided = decide(items[0] ?? null);
        if (decided !== undefined) return decided;
        for await (const event of api.watchPods(selector(operationId), version, signal)) {
          if (event.type === "ERROR") break;
          silentSince = performance.now();
          if (items[0] !== undefined && nameOf(event.object) !== nameOf(items[0])) break;
          const next = decide(event.object);
          if (next !== undefined) return next;
          if (event.type === "DELETED") break;
        }
      } catch (error) {
        if (signal.aborted || isDecided(error) || performance.now() - silentSince > SILENT_MS) throw error;
      }
      await Bun.sleep(50);
      if (signal.aborted) throw fail("execution_outcome_unknown", "the sandbox was removed");
    }
  };

  const backend: RemoteBackend = {
    capability: {
      provider: "kubernetes",
      template: "kubernetes-job-1",
      boundary: "container",
      features: ["namespaces", "no-capabilities", "read-only-root", "memory-limit"],
      modes: ["none", "workflow-session", "per-agent-call", "per-publish"],
      remote: true,
    },
    validate(request) {
      const refuse = (why: string, hint?: string) =>
        fail("feature_unsupported", why, hint === undefined ? {} : { hint });
      if (request.processes !== undefined)
        throw refuse("Kubernetes has no limit of processes for one pod", "set podPidsLimit of the kubelet");
      if (request.network === "allowlisted")
        throw refuse("a pod's network is all or nothing: deny-all or open");
      if (request.network === "deny-all" && !options.networkPolicy)
        throw refuse(
          "nothing says that the cluster closes a pod's network",
          "apply a NetworkPolicy that denies pods labelled lightflow.dev/network=deny-all, then set networkPolicy: true",
        );
      if (request.image !== undefined && !BY_DIGEST.test(request.image))
        throw refuse(
          `a pod runs an image by its digest, and ${request.image} names none`,
          "name it as NAME@sha256:…, in the task and in policy's allow.images",
        );
      if (request.mounts.length > 0)
        throw refuse("a pod sees its task's workspace alone: no mounts, files or code of this host");
      if (!request.writable.every((path) => isWithin(path, options.dataDirectory)))
        throw refuse("what a pod writes lies below the data directory");
    },
    async create(request) {
      await untilAnswered(() => api.create("secrets", secretOf(request, job)));
      const body = jobOf(request, job);
      const isNew = await untilAnswered(() => api.create("jobs", body));
      if (!isNew) await checkSame(api, request, body.metadata.annotations);
      const late = AbortSignal.timeout(START_MS);
      await follow(request.operationId, (pod) => started(pod, late.aborted), late);
    },
    async run(request, output, signal) {
      const { operationId } = request;
      const pod = await follow(
        operationId,
        (found) => {
          if (found === null) throw fail("execution_outcome_unknown", "the pod is gone before its start");
          return nameOf(found);
        },
        signal,
      );
      const attached = attach(api.attach(pod), request, output, signal);
      await attached.begun;
      let seen = false;
      const exit = await follow(
        operationId,
        (found): ProcessExit | undefined => {
          const ended = found === null ? undefined : stateOf(found)?.terminated;
          if (ended !== undefined) return exitOf(ended.exitCode);
          if (found === null && seen)
            throw fail("execution_outcome_unknown", "the pod was deleted before it said how it ended");
          if (found?.status?.phase === "Failed")
            throw fail("execution_outcome_unknown", `the pod failed: ${found.status.reason ?? "no reason"}`);
          seen = true;
          return undefined;
        },
        signal,
      );
      await Promise.race([attached.ended, Bun.sleep(TAIL_MS)]);
      attached.close();
      return exit;
    },
    terminate: (operationId) => api.remove("jobs", jobName(operationId), { propagationPolicy: "Foreground" }),
    async remove(operationId) {
      const name = jobName(operationId);
      await api.remove("jobs", name, { propagationPolicy: "Foreground" });
      const { items } = await api.list("pods", selector(operationId));
      // One second in place of the pod's own grace. Never zero: that takes the object away, and leaves the processes.
      for (const pod of items) await api.remove("pods", nameOf(pod), { gracePeriodSeconds: 1 });
      await api.remove("secrets", name, {});
      const end = performance.now() + GONE_MS;
      for (;;) {
        const pods = await api.list("pods", selector(operationId));
        if (pods.items.length === 0 && (await api.getJob(name)) === null) return;
        if (performance.now() > end)
          throw fail("execution_cleanup_pending", `the pod of ${name} does not go away`);
        await Bun.sleep(100);
      }
    },
    async check() {
      for (const kind of ["jobs", "pods", "secrets"] as const)
        await api.list(kind, `${OWNER_LABEL}=${owner}`);
      return `${options.apiServer} lists jobs, pods and secrets of ${options.namespace}`;
    },
    async sweep() {
      const { items } = await api.list("jobs", `${OWNER_LABEL}=${owner}`);
      for (const { metadata } of items) await this.remove(metadata?.labels?.[LEASE_LABEL] ?? "");
      // A crash between the two leaves the environment alone.
      const secrets = await api.list("secrets", `${OWNER_LABEL}=${owner}`);
      for (const secret of secrets.items) await api.remove("secrets", nameOf(secret), {});
      return items.length;
    },
  };
  return remoteProvider(backend);
}

/** What asking again does not change. */
const DECIDED = ["execution_outcome_unknown", "execution_start_failed"];
const isDecided = (error: unknown): boolean => error instanceof Failure && DECIDED.includes(error.code);

/** True once the container waits at its gate. */
function started(pod: V1Pod | null, isLate: boolean): true | undefined {
  const state = pod === null ? undefined : stateOf(pod);
  if (state?.running !== undefined || state?.terminated !== undefined) return true;
  const reason = state?.waiting?.reason ?? "";
  if (NO_START.test(reason) || isLate)
    throw fail(
      "execution_start_failed",
      `the pod does not start: ${state?.waiting?.message ?? (reason || "no node took it in time")}`,
    );
  return undefined;
}

const CREATE_TRIES = 3;

/** An object has its lease's name, so that asking again after a lost answer finds it, and never makes a second one. */
async function untilAnswered(create: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      return await create();
    } catch (error) {
      if (isDecided(error)) throw error;
      if (tries === CREATE_TRIES)
        throw fail("execution_start_failed", toFailure(error).message, { cause: error });
      await Bun.sleep(100 * 2 ** tries);
    }
  }
}

async function checkSame(
  api: KubernetesApi,
  request: SandboxRequest,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const found = await api.getJob(jobName(request.operationId));
  if (found?.metadata?.annotations?.[REQUEST_ANNOTATION] !== expected[REQUEST_ANNOTATION])
    throw fail("conflict", `${request.operationId} is already prepared with another request`);
}

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, close: 255 } as const;

/** Open the gate of a container and read what it writes. `begun` fails where the word may not have arrived. */
function attach(socket: WebSocket, request: SandboxRequest, output: RemoteOutput, signal: AbortSignal) {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let waiting = 0;
  let isCut = false;
  const close = () => socket.close();
  socket.binaryType = "arraybuffer";
  const send = (number: number, bytes: Uint8Array) => socket.send(Buffer.concat([Buffer.of(number), bytes]));
  socket.onopen = () => {
    send(CHANNEL.stdin, Buffer.from(`go\n${request.stdin ?? ""}`));
    send(CHANNEL.close, Buffer.of(CHANNEL.stdin));
    begun.resolve();
  };
  socket.onmessage = ({ data }) => {
    const bytes = new Uint8Array(data as ArrayBuffer);
    const [number] = bytes;
    if (bytes.length < 2 || isCut || (number !== CHANNEL.stdout && number !== CHANNEL.stderr)) return;
    waiting += bytes.length;
    const taken =
      number === CHANNEL.stdout ? output.stdout(bytes.subarray(1)) : output.stderr(bytes.subarray(1));
    void taken.then(() => {
      waiting -= bytes.length;
    });
    if (waiting <= WAITING_BYTES) return;
    // A socket cannot be told to wait, and the runner's memory is not the place for a task's log.
    isCut = true;
    void output.stderr(Buffer.from("\n[the rest of the output came faster than it could be taken]\n"));
  };
  socket.onclose = () => {
    begun.reject(fail("execution_outcome_unknown", "the pod's streams cannot be attached"));
    ended.resolve();
  };
  begun.promise.catch(() => {});
  signal.addEventListener("abort", close, { once: true });
  return { begun: begun.promise, ended: ended.promise, close };
}
