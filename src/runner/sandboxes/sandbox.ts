import type { Static } from "@sinclair/typebox";
import type { Lease, SandboxProvider as ProviderName, SandboxMode } from "../../protocol/index.ts";
import type { MountNamespace } from "../files/overlay.ts";
import type { ResolvedMount } from "./mounts.ts";

export type SandboxProviderName = Static<typeof ProviderName>;
export type SandboxModeName = Static<typeof SandboxMode>;

/** What one task asks of a sandbox. Every path is absolute. */
export interface SandboxRequest {
  /** The lease id: the idempotency key of everything below. */
  readonly operationId: string;
  readonly mode: SandboxModeName;
  readonly command: string;
  readonly arguments: readonly string[];
  /** The whole environment of the task; nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string | undefined;
  /** Working directory; the task may write below `writable`. */
  readonly directory: string;
  /** The root of an image to run in, in place of the host's system. */
  readonly imageRoot?: string;
  /** The image as its task names it, where another host is to fetch it. */
  readonly image?: string;
  readonly writable: readonly string[];
  readonly mounts: readonly ResolvedMount[];
  readonly network: Lease["network"];
  readonly memoryBytes: number | undefined;
  readonly processes: number | undefined;
  /** How long the command may run, with the time that it is given to end: nobody is left to need it after that. */
  readonly longestMs?: number;
  /** Where its paths are to be looked up, when that is not the runner's own mount namespace. */
  readonly namespace?: MountNamespace;
}

/** What a provider can enforce, each item proven by trying it. */
export interface SandboxCapability {
  readonly provider: SandboxProviderName;
  readonly template: string;
  readonly boundary: "process" | "container" | "user-namespace" | "micro-vm";
  readonly features: readonly string[];
  readonly modes: readonly SandboxModeName[];
  /** Whether it runs images. */
  readonly images?: boolean;
  /** Whether it can be made in another mount namespace. */
  readonly namespaces?: boolean;
  /** Its commands run on another host: programs of this one say nothing about it. */
  readonly remote?: boolean;
}

export interface ProcessExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why nobody knows how the command ended, or whether it did. */
  readonly unknown?: string;
}

export interface SandboxProcess {
  /** 0 where the command runs on another host. */
  readonly pid: number;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly exited: Promise<ProcessExit>;
}

export type OperationState = "absent" | "prepared" | "running" | "ended";

/**
 * One way to run a task apart from the host. Operations are named by the lease id and may be repeated: a second
 * `prepare` or `execute` never starts a second command, a second `cleanup` is harmless.
 */
export interface SandboxProvider {
  readonly capability: SandboxCapability;
  /** @throws Failure `feature_unsupported` for a control that this provider cannot enforce */
  validate(request: SandboxRequest): void;
  /** @throws Failure `execution_start_failed`, `conflict` when the id was prepared with another request */
  prepare(request: SandboxRequest): Promise<void>;
  inspect(operationId: string): OperationState;
  /** @throws Failure `execution_start_failed`, `not_found` */
  execute(operationId: string): SandboxProcess;
  /** Ask every process of the task to end. */
  terminate(operationId: string): void;
  /** End every process of the task; returns when none is left, or throws `execution_cleanup_pending`. */
  kill(operationId: string): Promise<void>;
  /** Free what the operation holds, after `kill`. */
  cleanup(operationId: string): Promise<void>;
  /** Whether a service that runs its commands answers, without making anything; absent where there is none. @throws Failure */
  check?(): Promise<string>;
  /** End whatever an earlier runner on this data directory left behind; the number of processes ended. */
  reconcile(): Promise<number>;
}
