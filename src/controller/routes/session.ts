import { sha256 } from "../../base/canonical.ts";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { bearerToken, readJson } from "../../base/http.ts";
import { newId, randomToken } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import {
  AuditSnapshot,
  Claim,
  Drain,
  Heartbeat,
  type HeartbeatAnswer,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  Registration,
  type RegistrationAccepted,
  validate,
} from "../../protocol/index.ts";
import { auditSnapshot, drainSession, heartbeat, registerRunner } from "../../store/index.ts";
import type { Controller } from "../controller.ts";
import { reply } from "../reply.ts";

/** How long a session's credentials live; a runner registers again well before. */
const SESSION_MS = 24 * 3_600_000;

type Handler = (controller: Controller, request: Request) => Promise<Response>;

const read = (request: Request) => readJson(request, LIMITS.protocolBodyBytes);
const tokenHash = (request: Request): string => sha256(bearerToken(request));

export const register: Handler = async (controller, request) => {
  const enrolmentHash = tokenHash(request);
  const message = validate(Registration, await read(request));
  const now = controller.clock.wall();
  const [heartbeatToken, claimToken, sessionId] = [randomToken(), randomToken(), newId()];
  const outcome = await controller.store.write(registerRunner, {
    enrolmentHash,
    registration: message as unknown as JsonObject & Registration,
    sessionId,
    heartbeatHash: sha256(heartbeatToken),
    claimHash: sha256(claimToken),
    expiresAt: now + SESSION_MS,
    now,
  });
  if ("refused" in outcome) {
    controller.log.warn("registration refused", { runnerId: message.runnerId, reason: outcome.refused });
    throw fail("registration_refused", undefined, { hint: "ask the operator who enrolled this runner" });
  }
  const answer: RegistrationAccepted = {
    sessionId,
    generation: outcome.generation,
    heartbeatToken,
    claimToken,
    expiresAt: isoTime(now + SESSION_MS),
    effective: outcome.effective,
    heartbeatIntervalMs: LIMITS.heartbeatMs,
    leaseKey: controller.leaseKey.publicKey,
  };
  return reply(answer);
};

export const beat: Handler = async (controller, request) => {
  const message = validate(Heartbeat, await read(request));
  const { sessionId } = await controller.store.write(heartbeat, {
    tokenHash: tokenHash(request),
    message: message as unknown as JsonObject & Heartbeat,
    now: controller.clock.wall(),
  });
  const waitMs = Math.min(message.waitMs ?? 0, LIMITS.heartbeatMs * 2);
  const directives = await controller.heartbeats.directives(sessionId, waitMs, request.signal);
  const answer: HeartbeatAnswer = { serverTime: isoTime(controller.clock.wall()), directives };
  return reply(answer);
};

export const claim: Handler = async (controller, request) => {
  const message = validate(Claim, await read(request));
  const waitMs = Math.min(message.waitMs, LIMITS.claimWaitMs);
  const lease = await controller.claims.claim(message, tokenHash(request), waitMs, request.signal);
  if (lease !== null) return reply(lease);
  return new Response(null, {
    status: 204,
    headers: { "retry-after": String(LIMITS.retryAfterMs / 1000), [PROTOCOL_HEADER]: PROTOCOL_VERSION },
  });
};

export const snapshot: Handler = async (controller, request) => {
  const message = validate(AuditSnapshot, await read(request));
  const fields = await controller.store.write(auditSnapshot, {
    tokenHash: tokenHash(request),
    message: message as unknown as JsonObject & AuditSnapshot,
    now: controller.clock.wall(),
  });
  return reply({ verdict: fields.length === 0 ? "match" : "mismatch", fields });
};

export const drain: Handler = async (controller, request) => {
  const message = validate(Drain, await read(request));
  await controller.store.write(drainSession, {
    tokenHash: tokenHash(request),
    message,
    now: controller.clock.wall(),
  });
  return reply({ accepted: true });
};
