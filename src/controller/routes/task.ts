import { digestOf, sha256 } from "../../base/canonical.ts";
import { isoTime } from "../../base/clock.ts";
import { Failure, fail } from "../../base/errors.ts";
import { bearerToken, readBody, readJson } from "../../base/http.ts";
import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import {
  ArtifactUpload,
  type LeaseState,
  LogChunk,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  Progress,
  Reject,
  Renew,
  Sha256,
  Started,
  type TaskAction,
  TaskResult,
  validate,
} from "../../protocol/index.ts";
import {
  appendChunk,
  directivesOf,
  findReference,
  type LeaseCaller,
  type LeaseTimes,
  mayLog,
  mayReadFile,
  NotTaken,
  noteQuarantined,
  rejectLease,
  renewLease,
  reportProgress,
  reportResult,
  startLease,
  streamEnd,
  tenantOfLease,
} from "../../store/index.ts";
import type { Controller } from "../controller.ts";
import { reply } from "../reply.ts";

type Handler = (controller: Controller, request: Request, leaseId: string) => Promise<Response>;

const read = (request: Request) => readJson(request, LIMITS.protocolBodyBytes);

function caller(
  controller: Controller,
  request: Request,
  leaseId: string,
  message: { attempt: number; fencingToken: number },
): LeaseCaller {
  return {
    tokenHash: sha256(bearerToken(request)),
    leaseId,
    attempt: message.attempt,
    fencingToken: message.fencingToken,
    now: controller.clock.wall(),
  };
}

function leaseState(
  controller: Controller,
  times: LeaseTimes,
  leaseId: string,
  fencingToken: number,
  directives: LeaseState["directives"] = times.cancelReason === null
    ? []
    : [{ kind: "cancel", leaseId, fencingToken, reason: times.cancelReason }],
): Response {
  const answer: LeaseState = {
    state: times.state,
    expiresAt: isoTime(times.expiresAt),
    remainingMs: Math.max(0, times.expiresAt - controller.clock.wall()),
    directives,
  };
  return reply(answer);
}

const started: Handler = async (controller, request, leaseId) => {
  const message = validate(Started, await read(request));
  const times = await controller.store.write(startLease, {
    ...caller(controller, request, leaseId, message),
    messageId: message.messageId,
    nonce: message.nonce,
    sandbox: message.sandbox ?? null,
  });
  return leaseState(controller, times, leaseId, message.fencingToken);
};

const renew: Handler = async (controller, request, leaseId) => {
  const message = validate(Renew, await read(request));
  const times = await controller.store.write(renewLease, caller(controller, request, leaseId, message));
  const { sessionId } = times;
  const directives = (controller.store.read(directivesOf, { sessionId }) ?? []) as LeaseState["directives"];
  return leaseState(controller, times, leaseId, message.fencingToken, directives);
};

const progress: Handler = async (controller, request, leaseId) => {
  const { messageId, attempt, fencingToken, ...facts } = validate(Progress, await read(request));
  const times = await controller.store.write(reportProgress, {
    ...caller(controller, request, leaseId, { attempt, fencingToken }),
    messageId,
    progress: facts,
  });
  return leaseState(controller, times, leaseId, fencingToken);
};

const reject: Handler = async (controller, request, leaseId) => {
  const message = validate(Reject, await read(request));
  await controller.store.write(rejectLease, {
    ...caller(controller, request, leaseId, message),
    messageId: message.messageId,
    reason: message.reason,
  });
  return reply({ accepted: true });
};

const log: Handler = async (controller, request, leaseId) => {
  const query = Object.fromEntries(new URL(request.url).searchParams);
  const chunk = validate(LogChunk, {
    ...query,
    attempt: Number(query["attempt"]),
    fencingToken: Number(query["fencingToken"]),
    seq: Number(query["seq"]),
    final: query["final"] === "true" ? true : query["final"] === "false" ? false : query["final"],
  });
  const who = caller(controller, request, leaseId, chunk);
  controller.store.read(mayLog, who);
  const bytes = await readBody(request, LIMITS.logChunkBytes);
  const end = controller.store.read(streamEnd, { leaseId, stream: chunk.stream });
  if (chunk.seq < end.nextSeq) return reply({ nextSeq: end.nextSeq });
  if (chunk.seq > end.nextSeq || end.final) {
    throw fail("log_gap", `the next chunk is ${end.nextSeq}`, { details: { nextSeq: end.nextSeq } });
  }
  if (bytes.length > 0) await controller.spool.write(leaseId, chunk.stream, end.position, bytes);
  const nextSeq = await controller.store.write(appendChunk, {
    ...who,
    stream: chunk.stream,
    seq: chunk.seq,
    size: bytes.length,
    sha256: sha256(bytes),
    final: chunk.final,
    position: end.position,
  });
  return reply({ nextSeq });
};

const WHOLE_LOG = /^artifact:\/\/sha256\/([0-9a-f]{64})(\?encoding=zstd)?$/;

/**
 * Whether a lease may name bytes as its own: it brought them, or its tenant has them. Whoever knows a digest alone would
 * be given another tenant's bytes for it.
 */
function mayName({ artifacts, store }: Controller, who: LeaseCaller, sha256: string): boolean {
  if (artifacts.brought({ key: who.leaseId, sha256 })) return true;
  const tenantId = store.read(tenantOfLease, who);
  return store.read(findReference, { tenantId, sha256, now: who.now }) !== null;
}

/** The whole logs that a result names, as far as their bytes are here and its own. */
function wholeLogs(controller: Controller, who: LeaseCaller, { stdoutRef, stderrRef }: TaskResult) {
  return [
    { name: "stdout", reference: stdoutRef },
    { name: "stderr", reference: stderrRef },
  ].flatMap(({ name, reference }) => {
    const [, sha, packed] = WHOLE_LOG.exec(reference ?? "") ?? [];
    const stored =
      sha === undefined || !mayName(controller, who, sha) ? null : controller.artifacts.keep(sha);
    return stored === null
      ? []
      : [{ name, ...stored, mediaType: packed === undefined ? "text/plain" : "application/zstd" }];
  });
}

/** `complete` takes a success, `fail` anything else; artifacts must be here, byte for byte, before either counts. */
const report =
  (success: boolean): Handler =>
  async (controller, request, leaseId) => {
    const message = validate(TaskResult, await read(request));
    if ((message.status === "succeeded") !== success) {
      throw fail("invalid_request", `/status: ${message.status} belongs to ${success ? "fail" : "complete"}`);
    }
    const who = caller(controller, request, leaseId, message);
    for (const artifact of message.artifactRefs) {
      const stored = mayName(controller, who, artifact.sha256)
        ? controller.artifacts.keep(artifact.sha256)
        : null;
      if (stored === null || stored.size !== artifact.size) {
        throw fail(
          "artifact_digest_mismatch",
          `artifact ${artifact.name} is not stored with this digest and size`,
        );
      }
    }
    const { messageId: _, ...result } = message;
    const digest = digestOf(result);
    const logs = wholeLogs(controller, who, message);
    // Bytes that were kept after the row that names them would look as if somebody else were about to name them.
    const input = { ...who, now: controller.clock.wall(), result: result as never, logs, digest };
    const { refused } = await controller.store
      .write(reportResult, { ...input, accept: controller.acceptance })
      .catch((error: unknown) => {
        if (!(error instanceof NotTaken)) throw error;
        // The runner's part is done whatever the run makes of it.
        controller.log.error("a run could not go on with a result", { leaseId, error: String(error.cause) });
        return controller.store.write(reportResult, { ...input, accept: null });
      });
    if (refused !== null) throw refused;
    controller.spool.finish(leaseId);
    for (const { sha256 } of [...message.artifactRefs, ...logs])
      controller.artifacts.forgetBrought({ key: leaseId, sha256 });
    return reply({ state: "accepted", resultDigest: digest });
  };

export const TASK_HANDLERS: Readonly<Record<TaskAction, Handler>> = {
  started,
  renew,
  progress,
  reject,
  log,
  complete: report(true),
  fail: report(false),
};

/** Bytes of an artifact that the lease's task reads. */
export function getArtifact(
  controller: Controller,
  request: Request,
  leaseId: string,
  digest: string,
): Response {
  const sha256 = validate(Sha256, digest);
  const query = new URL(request.url).searchParams;
  const identity = {
    attempt: Number(query.get("attempt")),
    fencingToken: Number(query.get("fencingToken")),
  };
  if (query.get("received") !== null) {
    const who = caller(controller, request, leaseId, identity);
    controller.store.read(mayLog, who);
    // Not `stat`: bytes that nothing names yet could be on their way out.
    const whole = mayName(controller, who, sha256) ? controller.artifacts.keep(sha256)?.size : undefined;
    return reply({ offset: whole ?? controller.artifacts.received({ key: leaseId, sha256 }) });
  }
  controller.store.read(mayReadFile, { ...caller(controller, request, leaseId, identity), sha256 });
  return new Response(controller.artifacts.open(sha256), {
    headers: { "content-type": "application/octet-stream", [PROTOCOL_HEADER]: PROTOCOL_VERSION },
  });
}

/** Bytes of an artifact, before the result that names them. The lease must be live; identity is in the query. */
export const putArtifact = async (
  controller: Controller,
  request: Request,
  leaseId: string,
  digest: string,
): Promise<Response> => {
  const sha = validate(Sha256, digest);
  const query = new URL(request.url).searchParams;
  const who = caller(controller, request, leaseId, {
    attempt: Number(query.get("attempt")),
    fencingToken: Number(query.get("fencingToken")),
  });
  controller.store.read(mayLog, who);
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > LIMITS.artifactBytes)
    throw fail("payload_too_large", `an artifact is at most ${LIMITS.artifactBytes} bytes`);
  const bytes = request.body ?? new Uint8Array();
  const size = query.get("size");
  if (size === null) {
    const stored = await controller.artifacts.put(bytes, sha, LIMITS.artifactBytes, leaseId);
    return reply(stored as unknown as JsonObject);
  }
  const upload = validate(ArtifactUpload, { size: Number(size), offset: Number(query.get("offset") ?? 0) });
  if (upload.size > LIMITS.artifactBytes)
    throw fail("payload_too_large", `an artifact is at most ${LIMITS.artifactBytes} bytes`);
  try {
    const mayKnow = mayName(controller, who, sha);
    const stored = await controller.artifacts.append(bytes, {
      ...upload,
      key: leaseId,
      sha256: sha,
      mayKnow,
    });
    return reply(stored as unknown as JsonObject);
  } catch (error) {
    const { quarantineId, actual } = ((error instanceof Failure && error.details) || {}) as Record<
      string,
      string
    >;
    if (quarantineId !== undefined && actual !== undefined) {
      await controller.store.write(noteQuarantined, {
        ...who,
        id: quarantineId,
        announced: sha,
        actual,
        size: upload.size,
        expiresAt: who.now + LIMITS.quarantineMs,
      });
    }
    throw error;
  }
};
