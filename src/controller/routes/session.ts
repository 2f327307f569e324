import { sha256 } from "../../base/canonical.ts";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { bearerToken, readJson } from "../../base/http.ts";
import { newId, randomToken } from "../../base/ids.ts";
import { LIMITS } from "../../base/limits.ts";
import {
  AuditSnapshot,
  type Challenge,
  ChallengeRequest,
  Claim,
  Drain,
  Heartbeat,
  type HeartbeatAnswer,
  PROTOCOL_HEADER,
  PROTOCOL_VERSION,
  Registration,
  type RegistrationAccepted,
  validate,
  verifyRegistration,
} from "../../protocol/index.ts";
import { auditSnapshot, drainSession, heartbeat, readHeartbeat, registerRunner } from "../../store/index.ts";
import type { Controller } from "../controller.ts";
import { reply, replyText } from "../reply.ts";

type Handler = (controller: Controller, request: Request) => Promise<Response>;

const read = (request: Request) => readJson(request, LIMITS.protocolBodyBytes);
const tokenHash = (request: Request): string => sha256(bearerToken(request));

/** Refusals say neither why nor what exists; this says where an answer is, and tells nobody more than the code does. */
const WHO_KNOWS = {
  unauthenticated:
    "a token lets in once, and then the identity in the data directory does; else ask the operator who enrolled this runner",
  registration_refused:
    "it is known, and not as it was approved: its operator sees why with `lightflow inbox list` and `lightflow audit tail`, and takes a change with `lightflow runners approve`",
} as const;

export const challenge: Handler = async (controller, request) => {
  validate(ChallengeRequest, await read(request));
  const issued = controller.challenges.issue(controller.clock.wall());
  const answer: Challenge = { challenge: issued.challenge, expiresAt: isoTime(issued.expiresAt) };
  return reply(answer);
};

export const register: Handler = async (controller, request) => {
  const message = validate(Registration, await read(request));
  const now = controller.clock.wall();
  const [heartbeatToken, claimToken, sessionId] = [randomToken(), randomToken(), newId()];
  // Every registration goes the whole way, so that neither the answer nor its time tells where it failed.
  const signed = verifyRegistration(message);
  const fresh = controller.challenges.holds(message.challenge, now);
  const outcome = await controller.store.write(registerRunner, {
    registration: message,
    enrolmentHash: request.headers.has("authorization") ? tokenHash(request) : null,
    proven: signed && fresh,
    challengeHash: sha256(message.challenge),
    sessionId,
    heartbeatHash: sha256(heartbeatToken),
    claimHash: sha256(claimToken),
    now,
  });
  if ("refused" in outcome) {
    const { refused, ...cause } = outcome;
    controller.log.warn("registration refused", { runnerId: message.runnerId, reason: outcome.reason });
    throw fail(refused, undefined, { hint: WHO_KNOWS[refused], cause });
  }
  const { offer } = outcome;
  const answer: RegistrationAccepted = {
    sessionId,
    generation: outcome.generation,
    heartbeatToken,
    claimToken,
    expiresAt: isoTime(outcome.expiresAt),
    effective: {
      runnerPools: [...offer.runnerPools],
      executionProfiles: [...offer.executionProfiles],
      capabilities: [...offer.capabilities],
      sandboxModes: [...offer.sandboxModes] as RegistrationAccepted["effective"]["sandboxModes"],
      modelProviderScopes: [...offer.modelProviderScopes],
      slots: offer.slots,
    },
    heartbeatIntervalMs: LIMITS.heartbeatMs,
    leaseKey: controller.leaseKey.publicKey,
  };
  return reply(answer);
};

export const beat: Handler = async (controller, request) => {
  const message = validate(Heartbeat, await read(request));
  const input = { tokenHash: tokenHash(request), message, now: controller.clock.wall() };
  let said = controller.store.read(readHeartbeat, input);
  if (said.same) controller.heartbeats.seen(said.sessionId, input.now);
  else said = await controller.store.write(heartbeat, input);
  const waitMs = Math.min(message.waitMs ?? 0, LIMITS.heartbeatMs * 2);
  const directives = await controller.heartbeats.directives(said.sessionId, waitMs, request.signal);
  const answer: HeartbeatAnswer = {
    serverTime: isoTime(controller.clock.wall()),
    expiresAt: isoTime(said.expiresAt),
    directives,
  };
  return reply(answer);
};

export const claim: Handler = async (controller, request) => {
  const message = validate(Claim, await read(request));
  const waitMs = Math.min(message.waitMs, LIMITS.claimWaitMs);
  const credential = tokenHash(request);
  controller.pace.check(credential);
  const lease = await controller.claims.claim(message, credential, waitMs, request.signal);
  if (lease !== null) {
    controller.pace.served(credential);
    return replyText(lease);
  }
  const seconds = Math.ceil(controller.pace.empty(credential) / 1000);
  return new Response(null, {
    status: 204,
    headers: { "retry-after": String(seconds), [PROTOCOL_HEADER]: PROTOCOL_VERSION },
  });
};

export const snapshot: Handler = async (controller, request) => {
  const message = validate(AuditSnapshot, await read(request));
  const fields = await controller.store.write(auditSnapshot, {
    tokenHash: tokenHash(request),
    message,
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
