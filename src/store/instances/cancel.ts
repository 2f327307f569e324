import { fail } from "../../base/errors.ts";
import type { Operation, Transaction } from "../operation.ts";
import { advanceInstance } from "./advance.ts";
import type { EnginePort } from "./engine-port.ts";

interface Directed {
  engine: EnginePort;
  tenantId: string;
  runId: string;
  reason: string;
  now: number;
}

/** Cancel a run; repeating it, or cancelling a finished run, changes nothing. @returns the status afterwards */
export const cancelInstance: Operation<Directed, string> = (tx, input) => direct(tx, input, "cancel");

/** Suspend a run; repeating it changes nothing. @throws Failure `conflict` when it has ended */
export const suspendInstance: Operation<Directed, string> = (tx, input) => direct(tx, input, "suspend");

/** Let a suspended run go on; repeating it changes nothing. @throws Failure `conflict` when it has ended */
export const resumeInstance: Operation<Directed, string> = (tx, input) => direct(tx, input, "resume");

function direct(tx: Transaction, input: Directed, kind: "cancel" | "suspend" | "resume"): string {
  const row = tx.get<{ id: string; status: string; finished_at: number | null }>(
    "SELECT id, status, finished_at FROM instance WHERE tenant_id = ? AND run_id = ?",
    input.tenantId,
    input.runId,
  );
  if (row === undefined)
    throw fail("not_found", `not found: run ${input.runId}`, { hint: "`lightflow run list` shows them" });
  if (row.finished_at !== null) {
    if (kind === "cancel") return row.status;
    throw fail("conflict", `run ${input.runId} has ended: ${row.status}`);
  }
  if (kind !== "cancel" && (row.status === "suspended") === (kind === "suspend")) return row.status;
  return advanceInstance(
    tx,
    input.engine,
    row.id,
    { kind, ...(kind === "resume" ? {} : { reason: input.reason }) } as never,
    input.now,
  );
}
