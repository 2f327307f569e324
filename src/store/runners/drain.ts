import { appendAudit } from "../audit/append.ts";
import type { Operation, Transaction } from "../operation.ts";
import { authenticate } from "./session.ts";

/** No more leases for a session; those that run may end. A suspicious one stays what it is. */
export function drain(
  tx: Transaction,
  session: { id: string; tenant_id: string; state: string },
  reason: string,
  actor: string,
  now: number,
): void {
  if (session.state !== "active") return;
  tx.run("UPDATE runner_session SET state = 'draining', reason = ? WHERE id = ?", reason, session.id);
  appendAudit(tx, {
    tenantId: session.tenant_id,
    now,
    actor,
    action: "session.draining",
    object: `session:${session.id}`,
    body: { reason },
  });
  tx.notify("session", session.id);
}

/** A runner that is about to stop. */
export const drainSession: Operation<
  { tokenHash: string; message: { runnerId: string; sessionId: string; reason: string }; now: number },
  void
> = (tx, { tokenHash, message, now }) => {
  const session = authenticate(tx, "heartbeat", tokenHash, now, message);
  drain(tx, session, message.reason, `runner:${session.runner_id}`, now);
};
