import { canonicalJson, sha256 } from "../../../base/canonical.ts";
import { fail } from "../../../base/errors.ts";
import { isWithin } from "../mounts.ts";
import type { ProcessExit, SandboxProvider, SandboxRequest } from "../sandbox.ts";
import { type E2bConnection, type E2bSandbox, e2bApi } from "./e2b-api.ts";
import { type RemoteBackend, type RemoteOutput, remoteProvider } from "./provider.ts";
import { exitOf } from "./signals.ts";
import { packTrees, unpackTrees } from "./trees.ts";

export interface CubeOptions extends E2bConnection {
  readonly template: string;
  /** The template that stands for an image, by the image's name as tasks write it. */
  readonly images?: Readonly<Record<string, string>>;
  readonly runnerId: string;
  readonly dataDirectory: string;
}

/** A sandbox ends itself this long after its runner stopped asking for more. */
const LEASE_SECONDS = 300;
const GONE_MS = 30_000;
/** Of the packed workspace, on its way in and back. */
const WORKSPACE_BYTES = 512 << 20;

const LEASE = "lightflow-lease";
const OWNER = "lightflow-runner";
const REQUEST = "lightflow-request";

interface Live {
  readonly sandbox: E2bSandbox;
  pid: number | null;
  /** It was asked to end before anybody knew its process: it is told when it is known. */
  isAsked: boolean;
}

/** A task in a micro-VM of a service that speaks E2B's API. The workspace travels there, and back after the command. */
export function cubeSandbox(options: CubeOptions): SandboxProvider {
  const api = e2bApi(options);
  const owner = sha256(`${options.runnerId}\n${options.dataDirectory}`).slice(0, 32);
  const live = new Map<string, Live>();
  const found = (operationId: string) => api.list({ [OWNER]: owner, [LEASE]: operationId });

  const templateOf = ({ image }: SandboxRequest): string => {
    const template = image === undefined ? options.template : options.images?.[image];
    if (template !== undefined) return template;
    throw fail("feature_unsupported", `no template stands for the image ${image}`, {
      hint: "make one from it, and name both in cube.images of runner.yaml",
    });
  };

  /** The service has no key against repeats: what carries the lease is looked for before and after. */
  const make = async (request: SandboxRequest): Promise<E2bSandbox> => {
    const before = await found(request.operationId);
    if (before.length > 0)
      throw fail("execution_outcome_unknown", `a sandbox carries this lease already: ${before.join(", ")}`);
    const sandbox = await api.create({
      template: templateOf(request),
      seconds: LEASE_SECONDS,
      internet: request.network === "open",
      metadata: {
        [OWNER]: owner,
        [LEASE]: request.operationId,
        [REQUEST]: sha256(canonicalJson(request)),
      },
    });
    const after = await found(request.operationId);
    if (after.length > 1)
      throw fail("execution_outcome_unknown", `two sandboxes carry the same lease: ${after.join(", ")}`);
    return sandbox;
  };

  /** A program of ours in the sandbox, to its end. */
  const run = async (sandbox: E2bSandbox, cmd: string, args: readonly string[]): Promise<void> => {
    const signal = AbortSignal.timeout(GONE_MS);
    for await (const { end } of api.start(sandbox, { process: { cmd, args, envs: {} } }, signal)) {
      if (end === undefined) continue;
      if ((end.exitCode ?? 0) === 0) return;
      throw fail("execution_start_failed", `${cmd} in the sandbox ended with ${end.exitCode}`);
    }
  };

  const ask = async ({ sandbox, pid }: Live): Promise<void> => {
    if (pid === null) return;
    await api.tell(sandbox, "SendSignal", { process: { pid }, signal: "SIGNAL_SIGTERM" });
  };

  const backend: RemoteBackend = {
    capability: {
      provider: "cubesandbox",
      template: options.template.slice(0, 128),
      boundary: "micro-vm",
      features: ["namespaces", "own-kernel"],
      modes: ["none", "workflow-session", "per-agent-call", "per-publish"],
      remote: true,
    },
    validate(request) {
      const refuse = (why: string) => fail("feature_unsupported", why);
      if (request.memoryBytes !== undefined || request.processes !== undefined)
        throw refuse("limits of memory and processes are those of the sandbox's template");
      templateOf(request);
      if (request.network === "allowlisted")
        throw refuse("the network of a micro-VM is all or nothing: deny-all or open");
      if (request.mounts.length > 0)
        throw refuse("a micro-VM sees its task's workspace alone: no mounts, files or code of this host");
      if (!request.writable.every((path) => isWithin(path, options.dataDirectory)))
        throw refuse("what a task writes lies below the data directory");
    },
    async create(request) {
      const sandbox = await make(request);
      live.set(request.operationId, { sandbox, pid: null, isAsked: false });
      const packed = `/tmp/lightflow-${request.operationId}.tar`;
      await api.upload(sandbox, packed, await packTrees(request.writable, WORKSPACE_BYTES));
      await run(sandbox, "/bin/tar", ["--no-same-owner", "-xf", packed, "-C", "/"]);
      await run(sandbox, "/bin/rm", ["-f", packed]);
    },
    async run(request, output, signal) {
      const operation = live.get(request.operationId);
      if (operation === undefined) throw fail("execution_outcome_unknown", "the sandbox is gone");
      const { sandbox } = operation;
      const staying = setInterval(
        () => void api.extend(sandbox.sandboxId, LEASE_SECONDS).catch(() => {}),
        (LEASE_SECONDS * 1000) / 5,
      );
      try {
        const exit = await follow(request, operation, output, signal);
        const packed = `/tmp/lightflow-${request.operationId}.out.tar`;
        const paths = request.writable.map((path) => path.slice(1));
        await run(sandbox, "/bin/tar", ["-cf", packed, "-C", "/", ...paths]);
        const back = await api.download(sandbox, packed);
        await unpackTrees(back, request.writable, options.dataDirectory, WORKSPACE_BYTES);
        return exit;
      } finally {
        clearInterval(staying);
      }
    },
    async terminate(operationId) {
      const operation = live.get(operationId);
      if (operation === undefined) return;
      operation.isAsked = true;
      await ask(operation);
    },
    async remove(operationId) {
      const end = performance.now() + GONE_MS;
      const known = live.get(operationId)?.sandbox.sandboxId;
      if (known !== undefined) await api.remove(known);
      for (;;) {
        const left = await found(operationId);
        if (left.length === 0) break;
        for (const id of left) await api.remove(id);
        if (performance.now() > end)
          throw fail("execution_cleanup_pending", "the sandbox service does not end the sandbox");
        await Bun.sleep(50);
      }
      live.delete(operationId);
    },
    async check() {
      await api.list({ [OWNER]: owner });
      return `${options.url} takes the key and lists sandboxes`;
    },
    async sweep() {
      const left = await api.list({ [OWNER]: owner });
      for (const id of left) await api.remove(id);
      return left.length;
    },
  };

  const follow = async (
    request: SandboxRequest,
    operation: Live,
    output: RemoteOutput,
    signal: AbortSignal,
  ): Promise<ProcessExit> => {
    const { sandbox } = operation;
    const events = api.start(
      sandbox,
      {
        process: {
          cmd: request.command,
          args: request.arguments,
          envs: request.environment,
          cwd: request.directory,
        },
        stdin: request.stdin !== undefined,
      },
      signal,
    );
    for await (const { start, data, end } of events) {
      if (start !== undefined) {
        operation.pid = start.pid;
        if (operation.isAsked) void ask(operation).catch(() => {});
        if (request.stdin !== undefined) await feed(sandbox, start.pid, request.stdin);
      }
      if (data?.stdout !== undefined) await output.stdout(Buffer.from(data.stdout, "base64"));
      if (data?.stderr !== undefined) await output.stderr(Buffer.from(data.stderr, "base64"));
      if (end !== undefined) return endOf(end);
    }
    throw fail("execution_outcome_unknown", "the sandbox stopped answering before the command's end");
  };

  const feed = async (sandbox: E2bSandbox, pid: number, text: string): Promise<void> => {
    const process = { pid };
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 65_536) {
      const stdin = bytes.subarray(at, at + 65_536).toString("base64");
      await api.tell(sandbox, "SendInput", { process, input: { stdin } });
    }
    await api.tell(sandbox, "CloseStdin", { process });
  };

  return remoteProvider(backend);
}

/** The daemon writes `signal: killed` for a command that a signal ended. */
function endOf({ exitCode, status }: { exitCode?: number; status?: string }): ProcessExit {
  const words: Readonly<Record<string, string>> = { killed: "SIGKILL", terminated: "SIGTERM" };
  const signal = words[/^signal: (\w+)/.exec(status ?? "")?.[1] ?? ""];
  return signal === undefined ? exitOf(exitCode ?? 0) : { exitCode: null, signal };
}
