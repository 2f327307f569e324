import type { Clock } from "../base/clock.ts";
import type { JsonObject } from "../base/json.ts";
import {
  advance,
  correlationOf,
  Definition,
  type Effect,
  ENGINE_VERSION,
  type EngineInput,
  type Instance,
  isPrivateEvent,
  lifecycleEvents,
  newInstance,
  taskError,
} from "../engine/index.ts";
import type { Secrets } from "../secrets/index.ts";
import type { EnginePort, StoredEffect, StoredInput, StoredSnapshot } from "../store/index.ts";
import { placeAgentCall } from "./agent-placement.ts";
import { callGate } from "./approval-gate.ts";
import { refuseMissingSecrets } from "./missing-secrets.ts";
import type { Policies } from "./policies.ts";
import { queueRequest } from "./queue-request.ts";
import { revokedInput, unapprovedInput } from "./result.ts";
import { runnerCall } from "./runner-call.ts";
import { type CacheableEffect, keepsOutputs, stepKey } from "./step-key.ts";

/** Compiled definitions kept; each holds its compiled expressions. */
const KEPT = 256;

/** The engine and the policy, as the store calls them inside its transaction. */
export function createEnginePort(
  clock: Clock,
  policies: Policies,
  claimsCalls: NonNullable<EnginePort["claimsCalls"]>,
  hasArtifact: EnginePort["hasArtifact"],
  secrets: Secrets | undefined,
): EnginePort {
  const definitions = new Map<string, Definition>();

  const definitionOf = (digest: string, document: () => string): Definition => {
    let definition = definitions.get(digest);
    if (definition === undefined) {
      definition = new Definition(JSON.parse(document()) as JsonObject, digest);
      if (definitions.size >= KEPT) definitions.delete(definitions.keys().next().value!);
    } else definitions.delete(digest);
    definitions.set(digest, definition);
    return definition;
  };

  const kept = new Map<string, boolean>();
  const keeps = (digest: string, document: () => JsonObject): boolean => {
    let answer = kept.get(digest);
    if (answer === undefined) {
      answer = keepsOutputs(document());
      if (kept.size >= KEPT) kept.clear();
      kept.set(digest, answer);
    }
    return answer;
  };

  return {
    version: ENGINE_VERSION,
    claimsCalls,
    advance({ digest, document }, snapshot, input, now) {
      const definition = definitionOf(digest, document);
      const advanced = advance(
        definition,
        snapshot as unknown as Instance,
        input as unknown as EngineInput,
        now,
      );
      return {
        snapshot: advanced.instance as unknown as StoredSnapshot,
        effects: advanced.effects as StoredEffect[],
        transitions: advanced.transitions,
        lifecycle: (key, wanted) => lifecycleEvents({ ...advanced, definition, now }, key, wanted),
      };
    },
    child(tenantId, document, digest, instanceId, runId, depth, now, isPrivate) {
      const parsed = JSON.parse(document) as JsonObject;
      refuseMissingSecrets(secrets, tenantId, parsed);
      const policy = policies.for(tenantId, parsed, digest);
      const snapshot = (): Instance => ({
        ...newInstance(instanceId, runId, now),
        depth,
        ...(isPrivate ? { private_input: true } : {}),
      });
      return {
        snapshot: snapshot as () => unknown as () => StoredSnapshot,
        policy: policies.stored(policy),
      };
    },
    noWorkflow({ id, namespace, name, version }) {
      const detail = `no workflow is published as ${namespace}/${name} ${version}`;
      const failed: EngineInput = {
        kind: "effect_failed",
        effect: id,
        error: taskError("configuration", detail),
      };
      return failed as unknown as StoredInput;
    },
    correlation: correlationOf,
    isPrivateEvent,
    tooLarge(input, problem) {
      const { kind, effect } = input as unknown as EngineInput & { effect?: string };
      if (effect === undefined || !["effect_succeeded", "effect_failed", "event"].includes(kind)) return null;
      const error = taskError("runtime", problem, { code: "state_too_large" });
      const failed: EngineInput = { kind: "effect_failed", effect, error };
      return failed as unknown as StoredInput;
    },
    revoked: revokedInput,
    unapproved: unapprovedInput,
    placeAgent: (effect, row, published) =>
      placeAgentCall(effect as Extract<Effect, { kind: "call" }>, published, () =>
        policies.of(row.policy_digest),
      ),
    callGate: (effect, row) =>
      callGate(effect as Extract<Effect, { kind: "call" }>, row, () => policies.of(row.policy_digest)),
    caches: ({ digest, document }) => keeps(digest, () => definitionOf(digest, document).document),
    stepKey: ({ digest, document }, effect, request) =>
      stepKey(definitionOf(digest, document), effect as unknown as CacheableEffect, request?.payload ?? null),
    hasArtifact,
    runnerCall: (effect, row) =>
      runnerCall(
        effect as Extract<Effect, { kind: "call" }>,
        row,
        policies.of(row.policy_digest),
        clock.wall(),
      ),
    request: (effect, row) =>
      queueRequest(
        effect as Extract<Effect, { kind: "run" }>,
        row,
        policies.of(row.policy_digest),
        clock.wall(),
      ),
  };
}
