import { join } from "node:path";
import { type ErrorCode, fail, toFailure } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { apiTarget, cortexPlace, responseOf, submit, waitForOutcome } from "../../cortex/index.ts";
import {
  type AgentUse,
  type AgentWork,
  type ArtifactReference,
  type Lease,
  mcpTool,
} from "../../protocol/index.ts";
import type { Redaction } from "../../redaction/index.ts";
import { artifactSource } from "../files/collect.ts";
import { copyTree } from "../files/copy.ts";
import { copyMethods } from "../files/copy-methods.ts";
import type { Workspace } from "../files/workspaces.ts";
import type { LeasePlaces } from "../lease/places.ts";
import type { Reporter } from "../lease/reporter.ts";
import type { LeaseServices } from "../lease/services.ts";
import type { ResolvedMount } from "../sandboxes/index.ts";
import { type AskModel, openBroker } from "./broker.ts";
import { changesOf } from "./changes.ts";
import { readTranscript } from "./transcript.ts";

export interface AgentEnd {
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
  readonly artifacts: readonly ArtifactReference[];
  readonly changedFiles: readonly string[];
  readonly use: AgentUse;
}

/** What is left of an agent's call once its worker is gone: its transcript, and what it changed. */
export type AgentRemains = Pick<AgentRun, "finish">;

/** One agent's call between its preparation and its result. */
export interface AgentRun {
  /** Standard input of the worker. */
  readonly stdin: string;
  readonly mounts: readonly ResolvedMount[];
  /** Close the broker, look at what was changed, keep the transcript. Once. */
  finish(reporter: Reporter, redaction: Redaction, signal: AbortSignal): Promise<AgentEnd>;
  close(): Promise<void>;
}

/** The `/ctx` of this host, with this host's credentials: the id repeats nothing, whoever asks again. */
const askCortex: AskModel = async (id, body, signal) => {
  const target = apiTarget(cortexPlace(), "openai.chat", id);
  await submit(target, JSON.stringify(body));
  return responseOf(target, await waitForOutcome(target, { signal }));
};

/** @throws Failure where the session's files are not here, or cannot be copied */
export async function openAgent(
  lease: Lease,
  workspace: Workspace,
  services: Pick<LeaseServices, "workspaces" | "config">,
  places: LeasePlaces,
  redaction: Redaction,
  signal: AbortSignal,
): Promise<AgentRun> {
  const work = lease.agent!;
  const files = agentFiles(workspace, places);
  if (work.copyOf !== undefined)
    await copySession(lease, work.copyOf, services, [workspace.directory, files.base], signal);
  const kept = { journal: files.journal, directory: places.agent };
  const broker = await openBroker(work, lease.leaseId, kept, redaction, askCortex, signal);
  let ended: Promise<AgentEnd> | null = null;
  return {
    stdin: JSON.stringify({
      socket: broker.socket,
      nonce: broker.nonce,
      allowedTools: work.allowedTools,
      commands: work.commands,
      servers: serversTold(work),
      verify: work.verify?.command ?? null,
      repairAttempts: work.verify?.repairAttempts ?? 0,
    }),
    mounts: [{ source: broker.directory, target: broker.directory, readOnly: true }],
    finish(reporter, mask, ending) {
      ended ??= broker
        .close()
        .then(() => remainsOf(work, files, broker.failure(), broker.use, reporter, mask, ending));
      return ended;
    },
    close: () => broker.close(),
  };
}

/** The programs of its servers, each with the tools that the lease names; secrets by the variables that hold them. */
function serversTold({ mcpServers = [], allowedTools }: AgentWork): JsonObject[] {
  return mcpServers.map(
    ({ name, command, arguments: given, directory, environment, secrets, timeoutMs }) => ({
      name,
      command,
      arguments: given,
      directory: directory ?? null,
      environment,
      secrets,
      timeoutMs,
      tools: allowedTools.flatMap((tool) => {
        const found = mcpTool(tool);
        return found?.server === name ? [found.tool] : [];
      }),
    }),
  );
}

/**
 * The call of an agent that an earlier process of this runner began. Its transcript says how far it came; nothing of it is
 * done again. What it changed is handed over only where its worker is known to have ended.
 * @returns null where the call never began
 */
export function recoverAgent(
  work: AgentWork,
  workspace: Workspace,
  places: LeasePlaces,
  hasEnded: boolean,
): AgentRemains | null {
  const files = agentFiles(workspace, places);
  const read = readTranscript(files.journal, work);
  if (read === null) return null;
  const { copyOf: _, ...lookedAt } = work;
  return {
    finish: (reporter, mask, ending) =>
      remainsOf(hasEnded ? work : lookedAt, files, read.failure, read.use, reporter, mask, ending),
  };
}

interface AgentFiles {
  /** What the agent changes, and the same as it was before. */
  readonly work: string;
  readonly base: string;
  readonly journal: string;
  readonly scratch: string;
}

const agentFiles = (workspace: Workspace, { root }: LeasePlaces): AgentFiles => ({
  work: workspace.directory,
  base: join(root, "base"),
  journal: join(root, "agent.jsonl"),
  scratch: root,
});

async function remainsOf(
  work: AgentWork,
  files: AgentFiles,
  ended: AgentEnd["failure"],
  use: AgentUse,
  reporter: Reporter,
  mask: Redaction,
  signal: AbortSignal,
): Promise<AgentEnd> {
  let failure = ended;
  const transcript = await Bun.file(files.journal).bytes();
  const artifacts = [await keep("agent-transcript.jsonl", "application/jsonl", transcript, reporter, signal)];
  let changedFiles: readonly string[] = [];
  if (work.copyOf !== undefined && failure === null) {
    try {
      const changes = await changesOf(files.base, files.work, work.protectedPaths, files.scratch);
      changedFiles = changes.files;
      if (changes.patch.length > 0) {
        const text = Buffer.from(changes.patch).toString("latin1");
        if (mask.text(text) !== text) throw fail("workspace_change_denied", "the change holds a secret");
        artifacts.push(await keep("changes.patch", "text/x-patch", changes.patch, reporter, signal));
      }
    } catch (error) {
      const { code, message } = toFailure(error);
      failure = { code: code === "workspace_change_denied" ? code : "execution_output_invalid", message };
    }
  }
  return { failure, artifacts, changedFiles, use: { ...use } };
}

async function keep(
  name: string,
  mediaType: string,
  bytes: Uint8Array<ArrayBuffer>,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<ArtifactReference> {
  const source = artifactSource(bytes);
  await reporter.artifact(source, signal);
  return {
    name,
    sha256: source.sha256,
    size: source.size,
    mediaType,
    uri: `artifact://sha256/${source.sha256}`,
  };
}

/** The session's files as they are, twice: for the agent, and to compare with. Blocks are shared where the disk can. */
async function copySession(
  lease: Lease,
  key: string,
  { workspaces, config }: Pick<LeaseServices, "workspaces" | "config">,
  targets: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const session = await workspaces.borrow(lease, key, "read", "present");
  try {
    const { reflink } = await copyMethods(config.dataDirectory);
    for (const target of targets) await copyTree(session.workspace.directory, target, reflink, signal);
  } finally {
    session.release();
  }
}
