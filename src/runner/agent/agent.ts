import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, fail, toFailure } from "../../base/errors.ts";
import { apiTarget, cortexPlace, responseOf, submit, waitForOutcome } from "../../cortex/index.ts";
import type { ArtifactReference, Lease } from "../../protocol/index.ts";
import type { Redaction } from "../../redaction/index.ts";
import { artifactSource } from "../files/collect.ts";
import type { Workspace, Workspaces } from "../files/workspaces.ts";
import type { LeasePlaces } from "../lease/places.ts";
import type { Reporter } from "../lease/reporter.ts";
import type { ResolvedMount } from "../sandboxes/index.ts";
import { type AskModel, openBroker } from "./broker.ts";
import { changesOf } from "./changes.ts";

export interface AgentEnd {
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
  readonly artifacts: readonly ArtifactReference[];
  readonly changedFiles: readonly string[];
}

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
  workspaces: Workspaces,
  places: LeasePlaces,
  redaction: Redaction,
  signal: AbortSignal,
): Promise<AgentRun> {
  const work = lease.agent!;
  const base = join(places.root, "base");
  if (work.copyOf !== undefined)
    await copySession(lease, work.copyOf, workspaces, [workspace.directory, base]);
  const journal = join(places.root, "agent.jsonl");
  const broker = await openBroker(work, lease.leaseId, journal, redaction, askCortex, signal);
  let ended: Promise<AgentEnd> | null = null;
  const finish = async (reporter: Reporter, mask: Redaction, ending: AbortSignal): Promise<AgentEnd> => {
    await broker.close();
    let failure = broker.failure();
    const artifacts = [
      await keep(
        "agent-transcript.jsonl",
        "application/jsonl",
        await Bun.file(journal).bytes(),
        reporter,
        ending,
      ),
    ];
    let changedFiles: readonly string[] = [];
    if (work.copyOf !== undefined && failure === null) {
      try {
        const changes = await changesOf(base, workspace.directory, work.protectedPaths, places.root);
        changedFiles = changes.files;
        if (changes.patch.length > 0) {
          if (
            mask.text(Buffer.from(changes.patch).toString("latin1")) !==
            Buffer.from(changes.patch).toString("latin1")
          )
            throw fail("workspace_change_denied", "the change holds a secret");
          artifacts.push(await keep("changes.patch", "text/x-patch", changes.patch, reporter, ending));
        }
      } catch (error) {
        const { code, message } = toFailure(error);
        failure = { code: code === "workspace_change_denied" ? code : "execution_output_invalid", message };
      }
    }
    return { failure, artifacts, changedFiles };
  };
  return {
    stdin: JSON.stringify({
      socket: broker.socket,
      nonce: broker.nonce,
      allowedTools: work.allowedTools,
      commands: work.commands,
      verify: work.verify?.command ?? null,
      repairAttempts: work.verify?.repairAttempts ?? 0,
    }),
    mounts: [{ source: broker.directory, target: broker.directory, readOnly: true }],
    finish(reporter, mask, ending) {
      ended ??= finish(reporter, mask, ending);
      return ended;
    },
    close: () => broker.close(),
  };
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
  workspaces: Workspaces,
  targets: readonly string[],
): Promise<void> {
  const from = workspaces.locate(key);
  if (!existsSync(from.root)) {
    throw fail(
      "execution_session_lost",
      "the session whose files the agent is to work on is not on this runner",
    );
  }
  const session = await workspaces.acquire({ ...lease, workspace: { mode: "session", key } });
  try {
    for (const target of targets) {
      mkdirSync(target, { recursive: true, mode: 0o700 });
      const copy = Bun.spawn(["cp", "--archive", "--reflink=auto", `${session.directory}/.`, `${target}/`], {
        env: { PATH: "/usr/bin:/bin" },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const [code, errors] = [await copy.exited, await copy.stderr.text()];
      if (code !== 0)
        throw fail(
          "execution_start_failed",
          `the workspace could not be copied: ${errors.trim().slice(0, 500)}`,
        );
    }
  } finally {
    workspaces.release(key);
  }
}
