import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import type { Query, Reading } from "../operation.ts";

export type ApprovalState =
  | "requested"
  | "approved"
  | "consumed"
  | "rejected"
  | "expired"
  | "invalid"
  | "withdrawn";

/** What an approval is about. A change of any part makes it another one. */
export interface ApprovalBinding {
  /** `publish`, `sign`, `tag`, whatever else policy names, or `run` and `call` where only policy asks. */
  readonly operations: readonly string[];
  /** What is changed elsewhere, as the task names it. */
  readonly target: string | null;
  /** Artifacts that the task reads, as `sha256:…`. */
  readonly artifacts: readonly string[];
  readonly provenance: string | null;
  readonly policyDigest: string;
  readonly executionProfile: string;
  readonly definitionDigest: string;
  readonly template: { readonly id: string; readonly digest: string } | null;
  /** Of everything that the task is given: program, arguments, environment, standard input; or what a call sends. */
  readonly argumentDigest: string;
}

/** Who may agree, and until when. */
export interface ApprovalGate {
  readonly binding: ApprovalBinding;
  readonly ttlMs: number;
  readonly separation: boolean;
  /** Patterns of roles. */
  readonly approvers: readonly string[];
}

/** The rule as it was when it was asked, with the versions of policy that held. */
export interface ApprovalRuleRow {
  readonly separation: boolean;
  readonly approvers: readonly string[];
  readonly policyState: string;
}

export interface ApprovalRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly instance_id: string;
  readonly effect_id: string;
  readonly run_id: string;
  readonly workflow: string;
  readonly step_id: string;
  readonly reference: string;
  readonly kind: "run" | "call";
  readonly state: ApprovalState;
  readonly requester: string;
  readonly binding: string;
  readonly digest: string;
  readonly rule: string;
  readonly work: string;
  readonly queue_ms: number;
  readonly decided_by: string | null;
  readonly decided_at: number | null;
  readonly note: string | null;
  readonly expires_at: number;
  readonly created_at: number;
}

export interface Approval extends Omit<ApprovalRow, "binding" | "rule" | "work"> {
  readonly binding: ApprovalBinding;
  readonly rule: ApprovalRuleRow;
  /** The payload of the lease that follows, or what a call sends. */
  readonly work: JsonObject;
}

const parse = (row: ApprovalRow): Approval => ({
  ...row,
  binding: JSON.parse(row.binding) as ApprovalBinding,
  rule: JSON.parse(row.rule) as ApprovalRuleRow,
  work: JSON.parse(row.work) as JsonObject,
});

/** @throws Failure `not_found` */
export function approvalRow(tx: Pick<Reading, "get">, tenantId: string, id: string): ApprovalRow {
  const row = tx.get<ApprovalRow>("SELECT * FROM approval WHERE tenant_id = ? AND id = ?", tenantId, id);
  if (row === undefined)
    throw fail("not_found", `not found: approval ${id}`, { hint: "`lightflow approvals list` shows them" });
  return row;
}

/** One approval with what it binds. @throws Failure `not_found` */
export const readApproval: Query<{ tenantId: string; approvalId: string }, Approval> = (tx, input) =>
  parse(approvalRow(tx, input.tenantId, input.approvalId));

/** The newest first. */
export const listApprovals: Query<{ tenantId: string; all: boolean; limit: number }, Approval[]> = (
  tx,
  { tenantId, all, limit },
) =>
  tx
    .all<ApprovalRow>(
      "SELECT * FROM approval WHERE tenant_id = ? AND (state = 'requested' OR ?) ORDER BY id DESC LIMIT ?",
      tenantId,
      all ? 1 : 0,
      limit,
    )
    .map(parse);

/** The last approval of the same step of the same workflow, or null. */
export const lastApproved: Query<
  { tenantId: string; workflow: string; stepId: string; before: number },
  Approval | null
> = (tx, { tenantId, workflow, stepId, before }) => {
  const row = tx.get<ApprovalRow>(
    `SELECT * FROM approval WHERE tenant_id = ? AND workflow = ? AND step_id = ? AND state IN ('approved', 'consumed')
       AND decided_at < ? ORDER BY decided_at DESC LIMIT 1`,
    tenantId,
    workflow,
    stepId,
    before,
  );
  return row === undefined ? null : parse(row);
};

/**
 * The newest version of each thing that decides under a policy snapshot: it is another one once an operator has published or
 * revoked any of them.
 */
export function policyState(tx: Pick<Reading, "all">, tenantId: string, policyDigest: string): string {
  return digestOf(
    tx.all<Record<string, string | number>>(
      `SELECT kind, id, max(version) AS version, sum(state = 'revoked') AS revoked FROM policy_object
       WHERE (kind, id) IN (SELECT kind, id FROM policy_snapshot_part WHERE policy_digest = ?)
         OR kind = 'service-policy' OR (kind = 'tenant-policy' AND id = ?)
       GROUP BY kind, id ORDER BY kind, id`,
      policyDigest,
      tenantId,
    ),
  );
}
