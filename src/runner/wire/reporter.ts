import { fail, toFailure } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { isObject } from "../../base/json.ts";
import {
  Acknowledged,
  ArtifactReceived,
  ArtifactStored,
  artifactRoute,
  LeaseState,
  LogAccepted,
  ResultAccepted,
  type TaskAction,
  type TaskResult,
  taskRoute,
} from "../../protocol/index.ts";
import type { Reporter } from "../lease/reporter.ts";
import type { Client } from "./client.ts";
import { receive } from "./receive.ts";
import type { Session } from "./session.ts";

const MESSAGE_TIMEOUT_MS = 15_000;
/** An artifact may be large and the line slow: a megabyte a second, and never less than a minute. */
const uploadTimeout = (size: number): number => 60_000 + size / 1000;

/** One file of a task; a line slower than this has other troubles. */
const DOWNLOAD_TIMEOUT_MS = 600_000;

export interface LeaseIdentity {
  readonly leaseId: string;
  readonly attempt: number;
  readonly fencingToken: number;
  /** Empty after a restart: what is reported then needs none. */
  readonly nonce: string;
}

type Asked = Pick<Parameters<Client["call"]>[0], "path" | "token" | "signal" | "query">;

/** How much of an artifact the controller has already. */
async function received(client: Client, { query, ...call }: Asked): Promise<number> {
  const answer = await client.call({
    ...call,
    method: "GET",
    query: { ...query, received: 1 },
    body: null,
    answer: ArtifactReceived,
    timeoutMs: MESSAGE_TIMEOUT_MS,
  });
  return answer.offset;
}

/** Reports over the wire, under the session's claim credential. One message keeps its id however often it is sent. */
export function wireReporter(client: Client, session: Session, lease: LeaseIdentity): Reporter {
  const { attempt, fencingToken } = lease;
  const identity = () => ({ messageId: newId(), attempt, fencingToken });
  const route = (action: TaskAction) => taskRoute(lease.leaseId, action);

  return {
    started(startedAt, sandbox, signal) {
      const body = { ...identity(), nonce: lease.nonce, startedAt, sandbox };
      return session.deliver(
        ({ claimToken: token }) =>
          client.call({
            path: route("started"),
            token,
            body,
            answer: LeaseState,
            timeoutMs: MESSAGE_TIMEOUT_MS,
            signal,
          }),
        { signal, maximumWaitMs: 1_000 },
      );
    },
    renew(signal) {
      const body = identity();
      return session.deliver(
        ({ claimToken: token }) =>
          client.call({
            path: route("renew"),
            token,
            body,
            answer: LeaseState,
            timeoutMs: MESSAGE_TIMEOUT_MS,
            signal,
          }),
        { signal, maximumWaitMs: 2_000 },
      );
    },
    async log(spool, seq, bytes, final, signal) {
      const query = { ...identity(), stream: spool.stream, seq, final };
      try {
        const { nextSeq } = await session.deliver(
          ({ claimToken: token }) =>
            client.call({
              path: route("log"),
              query,
              token,
              body: () => bytes,
              answer: LogAccepted,
              timeoutMs: MESSAGE_TIMEOUT_MS,
              signal,
            }),
          { signal },
        );
        return nextSeq;
      } catch (error) {
        const failure = toFailure(error);
        const wanted = isObject(failure.details) ? failure.details["nextSeq"] : undefined;
        // The server names the chunk it lacks; asking for this very one would be a loop.
        if (failure.code === "log_gap" && typeof wanted === "number" && wanted !== seq) return wanted;
        throw failure;
      }
    },
    async artifact(source, signal) {
      const about = identity();
      const path = artifactRoute(lease.leaseId, source.sha256);
      let tried = false;
      const stored = await session.deliver(
        async ({ claimToken: token }) => {
          const call = { path, token, signal };
          // What an earlier try has brought need not be sent again.
          const offset = tried ? await received(client, { ...call, query: about }) : 0;
          tried = true;
          return await client.call({
            ...call,
            method: "PUT",
            query: { ...about, size: source.size, offset },
            body: () => source.body(offset),
            answer: ArtifactStored,
            timeoutMs: uploadTimeout(source.size),
          });
        },
        { signal },
      );
      if (stored.sha256 !== source.sha256 || stored.size !== source.size) {
        throw fail("artifact_digest_mismatch", "the controller stored other bytes than were sent");
      }
    },
    file(sha256, path, signal) {
      const query = { attempt, fencingToken };
      return session.deliver(
        async ({ claimToken: token }) =>
          await receive(
            await client.download({
              path: artifactRoute(lease.leaseId, sha256),
              query,
              token,
              timeoutMs: DOWNLOAD_TIMEOUT_MS,
              signal,
            }),
            sha256,
            path,
          ),
        { signal },
      );
    },
    async reject(reason, signal) {
      const body = { ...identity(), reason: reason.slice(0, 4096) };
      await session.deliver(
        ({ claimToken: token }) =>
          client.call({
            path: route("reject"),
            token,
            body,
            answer: Acknowledged,
            timeoutMs: MESSAGE_TIMEOUT_MS,
            signal,
          }),
        { signal },
      );
    },
    async result(result: TaskResult, signal) {
      await session.deliver(
        ({ claimToken: token }) =>
          client.call({
            path: route(result.status === "succeeded" ? "complete" : "fail"),
            token,
            body: result,
            answer: ResultAccepted,
            timeoutMs: MESSAGE_TIMEOUT_MS,
            signal,
          }),
        { signal },
      );
    },
  };
}
