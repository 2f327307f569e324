import type { ErrorCode } from "../../base/errors.ts";
import { LIMITS } from "../../base/limits.ts";
import { coversName } from "../../policy/cover.ts";
import { holdsBoundary } from "../../protocol/common.ts";
import { offerOf, type RunnerOffer, type SessionRow } from "../runners/session.ts";

/** What a queued task asks of a runner; one queue partition each. */
export interface Requirement {
  runnerPool: string;
  executionProfile: string;
  capabilities: string[];
  sandboxMode: string;
  /** The kinds of runners that policy allows, where it does not allow all. */
  runnerKinds?: string[];
  /** The weakest isolation that will do, where it is more than a process. */
  boundary?: string;
  /** The sandbox providers that policy allows, where it does not allow all. */
  sandboxProviders?: string[];
  /** The runner that holds the workspace of the session. */
  runnerId?: string;
  /** The host that the task must run on. */
  hostId?: string;
}

/** The first check that a session fails, by its number in the order of admission. */
export interface Denial {
  readonly check: number;
  readonly code: ErrorCode;
  readonly message: string;
}

interface Subject {
  readonly session: SessionRow;
  readonly offer: RunnerOffer;
  readonly requirement: Requirement;
  readonly tenantId: string;
  readonly now: number;
}

type Check = readonly [number: number, code: ErrorCode, failure: (subject: Subject) => string | null];

/** Whether a session may be given anything at all. */
const SESSION_CHECKS: readonly Check[] = [
  [
    1,
    "runner_session_inactive",
    ({ session, now }) =>
      session.state === "closed"
        ? "the session is closed"
        : session.expires_at <= now
          ? "the session has expired"
          : session.last_seen_at < now - LIMITS.sessionSilentMs
            ? "no heartbeat came in time"
            : null,
  ],
  [
    2,
    "runner_quarantined",
    ({ session }) => {
      // A quarantine by hand is no drift: `runners list` says why it is.
      if ((session.state as string) === "quarantined") return "the runner is quarantined";
      return session.state === "suspicious" ? "the runner's configuration has drifted" : null;
    },
  ],
  [2, "runner_draining", ({ session }) => (session.state === "draining" ? "the runner is draining" : null)],
];

/** Whether it may be given this task. */
const TASK_CHECKS: readonly Check[] = [
  [
    3,
    "tenant_mismatch",
    ({ session, tenantId }) => (session.tenant_id === tenantId ? null : "the task is another tenant's"),
  ],
  [
    3,
    "host_mismatch",
    ({ offer, requirement }) =>
      requirement.hostId === undefined || requirement.hostId === offer.hostId
        ? null
        : `the task belongs on host ${requirement.hostId}`,
  ],
  [
    3,
    "runner_mismatch",
    ({ session, requirement }) =>
      requirement.runnerId === undefined || requirement.runnerId === session.runner_id
        ? null
        : `the workspace of its session is on runner ${requirement.runnerId}`,
  ],
  [
    4,
    "pool_mismatch",
    ({ offer, requirement }) =>
      offer.runnerPools.includes(requirement.runnerPool)
        ? null
        : `the runner is not in pool ${requirement.runnerPool}`,
  ],
  [
    4,
    "pool_mismatch",
    ({ offer, requirement: { runnerKinds } }) =>
      runnerKinds === undefined || runnerKinds.some((wide) => coversName(wide, offer.runnerKind))
        ? null
        : `policy allows no runner of kind ${offer.runnerKind}`,
  ],
  [
    5,
    "profile_denied",
    ({ offer, requirement }) =>
      offer.executionProfiles.includes(requirement.executionProfile)
        ? null
        : `the runner may not use profile ${requirement.executionProfile}`,
  ],
  [
    6,
    "execution_capability_missing",
    ({ offer, requirement }) => {
      const missing = requirement.capabilities.filter((name) => !offer.capabilities.includes(name));
      return missing.length === 0 ? null : `the runner lacks ${missing.join(", ")}`;
    },
  ],
  [
    12,
    "boundary_too_weak",
    ({ offer, requirement }) =>
      offer.sandboxModes.includes(requirement.sandboxMode)
        ? null
        : `the runner cannot isolate a task as ${requirement.sandboxMode}`,
  ],
  [
    12,
    "boundary_too_weak",
    ({ offer, requirement: { boundary, sandboxProviders } }) =>
      (boundary === undefined && sandboxProviders === undefined) ||
      offer.sandboxProviders.some(
        (each) =>
          (boundary === undefined || holdsBoundary(each.boundary, boundary)) &&
          (sandboxProviders?.includes(each.provider) ?? true),
      )
        ? null
        : `the runner has no sandbox${boundary === undefined ? "" : ` behind ${boundary}`}${sandboxProviders === undefined ? "" : ` by ${sandboxProviders.join(" or ")}`}`,
  ],
];

const HEALTH_CHECK: Check = [
  14,
  "runner_unhealthy",
  ({ session }) => (session.healthy === 0 ? "the runner's watchdog or journal is not healthy" : null),
];

function first(checks: readonly Check[], subject: Subject): Denial | null {
  for (const [check, code, failure] of checks) {
    const message = failure(subject);
    if (message !== null) return { check, code, message };
  }
  return null;
}

const NOTHING: Requirement = { runnerPool: "", executionProfile: "", capabilities: [], sandboxMode: "" };

/** Checks 1, 2 and 14: why a session may claim nothing, or null. */
export function sessionDenial(session: SessionRow, now: number): Denial | null {
  const subject = { session, offer: offerOf(session), requirement: NOTHING, tenantId: "", now };
  return first([...SESSION_CHECKS, HEALTH_CHECK], subject);
}

/** Checks 3 to 6 and 12: why tasks of a partition are not for this session, or null. */
export function taskDenial(session: SessionRow, requirement: Requirement, tenantId: string): Denial | null {
  return first(TASK_CHECKS, { session, offer: offerOf(session), requirement, tenantId, now: 0 });
}

/** All checks in their order, for an explanation. */
export function firstDenial(
  session: SessionRow,
  requirement: Requirement,
  tenantId: string,
  now: number,
): Denial | null {
  return first([...SESSION_CHECKS, ...TASK_CHECKS, HEALTH_CHECK], {
    session,
    offer: offerOf(session),
    requirement,
    tenantId,
    now,
  });
}

/** Requirements by their text: the same few are read for every claim. */
const parsed = new Map<string, Requirement>();

export function requirementOf(body: string): Requirement {
  let requirement = parsed.get(body);
  if (requirement === undefined) {
    requirement = JSON.parse(body) as Requirement;
    if (parsed.size >= 4096) parsed.clear();
    parsed.set(body, requirement);
  }
  return requirement;
}
