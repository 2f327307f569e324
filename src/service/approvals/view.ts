import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import type { Approval } from "../../store/index.ts";
import { closed, named, nullable, oneOf, Text, Time } from "../shapes.ts";

export const ApprovalId = Type.String({
  pattern: "^[0-9a-f-]{36}$",
  description: "the id of an approval, as `lightflow approvals list` shows it",
});

const members = {
  id: Text,
  state: oneOf("requested", "approved", "consumed", "rejected", "expired", "invalid", "withdrawn"),
  run_id: Text,
  step_id: Text,
  workflow: Text,
  /** What is done: `publish`, `sign`, `tag`, or what else policy names. */
  operations: Type.Array(Text),
  target: nullable(Text),
  requester: Text,
  /** Of everything that is bound: what is approved is exactly this. */
  digest: Text,
  created_at: Time,
  expires_at: Time,
  decided_by: nullable(Text),
  decided_at: nullable(Time),
  note: nullable(Text),
};
export const ApprovalShape = named("Approval", closed(members));
export const approvalMembers = members;

/** An approval as lists show it. */
export const approvalView = (approval: Approval) => ({
  id: approval.id,
  state: approval.state,
  run_id: approval.run_id,
  step_id: approval.step_id,
  workflow: approval.workflow,
  operations: [...approval.binding.operations],
  target: approval.binding.target,
  requester: approval.requester,
  digest: approval.digest,
  created_at: isoTime(approval.created_at),
  expires_at: isoTime(approval.expires_at),
  decided_by: approval.decided_by,
  decided_at: approval.decided_at === null ? null : isoTime(approval.decided_at),
  note: approval.note === "" ? null : approval.note,
});
