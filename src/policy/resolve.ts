import { fail } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import { POLICY_ORDERS, type PolicyLayer } from "../protocol/policy.ts";
import { coversName, tidy } from "./cover.ts";
import { coversOf, deniedOf, getValue, POLICY_FIELDS, setValue } from "./fields.ts";
import { type Folded, type NamedLayer, narrow } from "./fold.ts";
import { meet } from "./meet.ts";
import type { PinnedTemplate, PolicySnapshot } from "./snapshot.ts";

/** What a task does that nobody may do unseen: each asks for a person and for a sandbox of its own. */
export const PUBLISHING = ["publish", "sign", "tag", "branch", "pull-request"] as const;

export interface PolicyQuestion {
  /** What the task asks for. */
  readonly layer: PolicyLayer;
  /** Its JSON pointer. */
  readonly reference: string;
  /** Set for what a model wrote; a template's command is trusted, any other is the tenant's. */
  readonly modelGenerated?: boolean;
  /** One of the product's own actions: no program of the tenant's runs. */
  readonly fixedAction?: boolean;
}

/** Whether a person has to agree first, who may, and for how long it can be asked. */
export interface ApprovalRule {
  readonly required: boolean;
  readonly ttlMs: number;
  /** Whoever started the run may not approve. */
  readonly separation: boolean;
  /** Patterns of roles; one of them is needed. */
  readonly approvers: readonly string[];
}

const APPROVAL_TTL_MS = 86_400_000;
/** A shorter one nobody could keep, and a longer one nobody would remember. */
const SHORTEST_APPROVAL_MS = 60_000;
const LONGEST_APPROVAL_MS = 604_800_000;

/** Who approves where a profile allows every role and no layer asks for one. */
const APPROVERS = ["admin", "approver"];

/** What one task may do at last: the lease's scope. */
export interface EffectivePolicy {
  readonly executionProfile: string;
  readonly profileVersion: number;
  readonly runnerPool: string;
  /** What the task asks of a runner. */
  readonly capabilities: readonly string[];
  readonly template: (PinnedTemplate & { readonly id: string }) | null;
  readonly actions: readonly string[];
  readonly network: NonNullable<PolicyLayer["network"]>;
  readonly taskMs: number;
  readonly queueMs: number;
  readonly approval: ApprovalRule;
  readonly workloadTrust: NonNullable<PolicyLayer["workloadTrust"]>;
  /** Every field, with denied things taken out. */
  readonly policy: PolicyLayer;
  readonly decidedBy: ReadonlyMap<string, readonly string[]>;
}

const PLAIN = (pattern: string): boolean => !pattern.endsWith("*");

/**
 * The strictest of an instance's layers and a task, and what follows from it.
 * @throws Failure `execution_policy_denied`, `template_denied` that names layer and field
 */
export function resolveTask(
  snapshot: PolicySnapshot,
  folded: Folded,
  question: PolicyQuestion,
): EffectivePolicy {
  const profile = snapshot.layers[0]!;
  const own = narrow(folded, {
    kind: "task",
    id: question.reference,
    version: null,
    policy: question.layer,
  } satisfies NamedLayer);
  const decidedBy = new Map(own.decidedBy);
  const policy = withoutDenied(own.bounds);
  const asked = own.asked.allow ?? {};

  const template = templateOf(snapshot, asked.commandTemplates);
  const workloadTrust =
    question.modelGenerated === true
      ? "model-generated"
      : stricterWord(
          "workloadTrust",
          policy.workloadTrust,
          template === null && question.fixedAction !== true ? "tenant-authored" : "trusted-template",
        );
  const actions = tidy(coversName, [
    ...(asked.actions ?? []).filter(PLAIN),
    ...(template?.template.action === undefined ? [] : [template.template.action]),
  ]);
  mayUse(policy, "actions", actions, template);
  const capabilities = tidy(coversName, [
    ...(asked.capabilities ?? []),
    ...(template?.template.capabilities ?? []),
  ]);
  mayUse(policy, "capabilities", capabilities, template);
  if (template === null && question.fixedAction !== true && policy.directCommands === false) {
    throw fail("template_denied", `profile ${profile.id} runs approved command templates alone`, {
      hint: "name one as metadata.lightWorkflow.runner.commandTemplateId",
      details: { field: "directCommands", decidedBy: decidedBy.get("directCommands") ?? [] },
    });
  }

  const consequences = consequencesOf(policy, actions, workloadTrust);
  for (const { path, reason } of consequences.changed) decidedBy.set(path, [reason]);
  const final = meet(policy, consequences.layer);
  return {
    executionProfile: profile.id,
    profileVersion: profile.version!,
    runnerPool: poolOf(final, decidedBy),
    capabilities,
    template,
    actions,
    // What is allowed is granted only to those who ask for it.
    network: own.asked.network === undefined ? "deny-all" : final.network!,
    taskMs: Math.min(
      own.asked.limits?.taskMs ?? LIMITS.taskTimeoutMs,
      final.limits?.taskMs ?? LIMITS.taskTimeoutMs,
      template?.template.limits?.taskMs ?? Number.POSITIVE_INFINITY,
    ),
    queueMs: Math.min(
      own.asked.limits?.queueMs ?? LIMITS.queueTimeoutMs,
      final.limits?.queueMs ?? LIMITS.queueTimeoutMs,
    ),
    approval: approvalRule(own.asked, final),
    workloadTrust,
    policy: final,
    decidedBy,
  };
}

function approvalRule(asked: PolicyLayer, final: PolicyLayer): ApprovalRule {
  const required = final.approvalRequired === true;
  const ttlMs = Math.min(
    asked.limits?.approvalTtlMs ?? APPROVAL_TTL_MS,
    final.limits?.approvalTtlMs ?? LONGEST_APPROVAL_MS,
  );
  if (required && (ttlMs < SHORTEST_APPROVAL_MS || ttlMs > LONGEST_APPROVAL_MS)) {
    throw fail("execution_policy_denied", `an approval holds for 60 to 604800 s, not ${ttlMs / 1000} s`, {
      details: { field: "limits.approvalTtlMs" },
    });
  }
  const allowed = final.allow?.approvers ?? [];
  return {
    required,
    ttlMs,
    separation: final.approvalSeparation === true,
    approvers: allowed.includes("*") ? APPROVERS : allowed,
  };
}

/**
 * The approval of a task that is no command: it is required where the task says what it does, and that is to publish, to
 * sign or to tag, or something that policy names; or where the task or its workflow asks for one.
 * @throws Failure `execution_policy_denied`
 */
export function callApproval(folded: Folded, question: PolicyQuestion): ApprovalRule & { actions: string[] } {
  const own = narrow(folded, { kind: "task", id: question.reference, version: null, policy: question.layer });
  const policy = withoutDenied(own.bounds);
  const actions = tidy(coversName, (own.asked.allow?.actions ?? []).filter(PLAIN));
  mayUse(policy, "actions", actions, null);
  const { layer } = consequencesOf(policy, actions, "tenant-authored");
  const required = layer.approvalRequired === true || own.asked.approvalRequired === true;
  return { ...approvalRule(own.asked, { ...policy, approvalRequired: required }), actions };
}

/** What the layers leave a task that is no command. @throws Failure `execution_policy_denied` */
export function taskPolicy(folded: Folded, { layer, reference }: PolicyQuestion): PolicyLayer {
  return withoutDenied(narrow(folded, { kind: "task", id: reference, version: null, policy: layer }).bounds);
}

/** What no layer has to say because it follows: from what the task does, and from who wrote what it runs. */
function consequencesOf(
  policy: PolicyLayer,
  actions: readonly string[],
  trust: EffectivePolicy["workloadTrust"],
): { layer: PolicyLayer; changed: { path: string; reason: string }[] } {
  const layer: PolicyLayer = {};
  const changed: { path: string; reason: string }[] = [];
  const demand = (path: string, value: string | boolean, reason: string) => {
    const before = getValue(policy, path);
    setValue(layer, path, value);
    if (
      before === undefined ||
      POLICY_FIELDS.find((field) => field.path === path)!.join(before, value) !== before
    ) {
      changed.push({ path, reason });
    }
  };
  const publishing = actions.find((action) => (PUBLISHING as readonly string[]).includes(action));
  if (publishing !== undefined) {
    const reason = `rule: ${publishing}`;
    demand("sandboxMode", "per-publish", reason);
    demand("approvalRequired", true, reason);
    demand("provenance", "signed", reason);
    demand("persistence", "ephemeral", reason);
    demand("afterTask", "destroy", reason);
  }
  const before = (policy.requiresHumanApprovalBefore ?? []).find((pattern) =>
    actions.some((action) => coversName(pattern, action)),
  );
  if (before !== undefined) demand("approvalRequired", true, `rule: requiresHumanApprovalBefore ${before}`);
  if (trust === "model-generated") {
    demand("boundary", policy.modelGeneratedBoundary ?? "micro-vm", "rule: model-generated");
    demand("sandboxMode", "per-agent-call", "rule: model-generated");
  }
  return { layer, changed };
}

function stricterWord<Name extends keyof typeof POLICY_ORDERS>(
  name: Name,
  a: (typeof POLICY_ORDERS)[Name][number] | undefined,
  b: (typeof POLICY_ORDERS)[Name][number],
): (typeof POLICY_ORDERS)[Name][number] {
  const order = POLICY_ORDERS[name] as readonly string[];
  return a === undefined || order.indexOf(b) > order.indexOf(a) ? b : a;
}

/** Denials are applied last: they take away whatever another layer allows. */
function withoutDenied(bounds: PolicyLayer): PolicyLayer {
  if (bounds.deny === undefined || bounds.allow === undefined) return bounds;
  const allow = { ...bounds.allow } as Record<string, string[]>;
  for (const [set, denied] of Object.entries(bounds.deny)) {
    if (allow[set] !== undefined) {
      allow[set] = allow[set].filter((each) => !denied.some((no) => coversOf(set)(no, each)));
    }
  }
  return { ...bounds, allow };
}

/** @throws Failure when a template brings what the layers do not allow, or a request holds a denied thing. */
function mayUse(
  policy: PolicyLayer,
  set: "actions" | "capabilities",
  names: readonly string[],
  template: EffectivePolicy["template"],
): void {
  const allowed = policy.allow?.[set] ?? [];
  const denied = deniedOf(set, names, policy.deny?.[set] ?? []);
  const over = denied ?? names.find((name) => !allowed.some((wide) => coversName(wide, name)));
  if (over === undefined) return;
  throw fail(
    "execution_policy_denied",
    `${template === null ? "the task" : `the template ${template.id}`} needs ${over} of allow.${set}, which the layers above do not allow`,
    { details: { field: `allow.${set}`, asked: [...names] } },
  );
}

function templateOf(
  snapshot: PolicySnapshot,
  asked: readonly string[] | undefined,
): EffectivePolicy["template"] {
  const [id, second] = (asked ?? []).filter(PLAIN);
  if (id === undefined || second !== undefined) return null;
  const pinned = snapshot.templates[id];
  if (pinned === undefined) {
    throw fail("template_denied", `the template ${id} is not part of this instance's policy`, {
      details: { template: id },
    });
  }
  return { id, ...pinned };
}

/** The pool that was asked for, which is the only one left then; else the first that has a name. */
function poolOf(policy: PolicyLayer, decidedBy: ReadonlyMap<string, readonly string[]>): string {
  const pools = policy.allow?.runnerPools ?? [];
  const pool = pools.find(PLAIN);
  if (pool === undefined) {
    throw fail(
      "execution_policy_denied",
      pools.length === 0
        ? "the layers leave no runner pool that all of them allow"
        : "the task must name its runner pool",
      {
        hint: "see metadata.lightWorkflow.runner.runnerPool",
        details: { field: "allow.runnerPools", decidedBy: decidedBy.get("allow.runnerPools") ?? [] },
      },
    );
  }
  return pool;
}
