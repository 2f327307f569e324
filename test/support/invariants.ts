import type { Database } from "bun:sqlite";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { auditTenants, type Query, verifyAudit } from "../../src/store/index.ts";

/** The invariants of the fault catalogue, each with what breaks it in a history; nothing where it holds. */
export type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "I7" | "I8" | "I9";
export type Violations = Partial<Record<Invariant, unknown[]>>;

export interface History {
  readonly store: Database;
  /** A directory with a file a lease, in which its command wrote a line each time that it ran. */
  readonly counts: string;
}

const rows = <Row>(store: Database, sql: string): Row[] => store.query<Row, []>(sql).all();

/** A result that proves that nothing was started: the task goes on with its next attempt. */
const NOTHING_STARTED =
  "result ->> 'errorCode' IS 'execution_start_failed' AND result ->> 'retrySafety' IS 'safe'";

const QUERIES: readonly (readonly [Invariant, string])[] = [
  // No task is with two runners.
  [
    "I1",
    "SELECT request_id FROM lease WHERE state IN ('leased', 'started') GROUP BY request_id HAVING count(*) > 1",
  ],
  // No task has two accepted results.
  [
    "I2",
    `SELECT request_id FROM lease WHERE verdict = 'accepted' AND NOT (${NOTHING_STARTED})
     GROUP BY request_id HAVING count(*) > 1`,
  ],
  // A later attempt has a higher fence.
  [
    "I3",
    "SELECT a.id FROM lease a JOIN lease b ON b.request_id = a.request_id AND b.attempt > a.attempt AND b.fence <= a.fence",
  ],
  // A task is done by the result of its accepted attempt, and no other.
  [
    "I4",
    `SELECT r.id FROM request r WHERE r.state = 'satisfied' AND NOT EXISTS
      (SELECT 1 FROM lease l WHERE l.request_id = r.id AND l.attempt = r.accepted_attempt AND l.verdict = 'accepted')`,
  ],
  // Each result that was accepted has one entry, and each entry such a result.
  [
    "I6",
    `SELECT l.id FROM lease l WHERE (l.verdict IS 'accepted') <>
      (SELECT count(*) FROM audit a WHERE a.tenant_id = l.tenant_id AND a.action = 'result.accepted' AND a.object = 'lease:' || l.id)`,
  ],
  // What is not over is with a runner, waits for something that is named, or for a person who was asked.
  [
    "I9",
    `SELECT i.run_id FROM instance i WHERE i.finished_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM request r WHERE r.instance_id = i.id AND r.state IN ('pending', 'parked', 'leased'))
      AND NOT EXISTS (SELECT 1 FROM timer t WHERE t.instance_id = i.id)
      AND NOT EXISTS (SELECT 1 FROM subscription s WHERE s.instance_id = i.id)
      AND NOT EXISTS (SELECT 1 FROM native_call n WHERE n.instance_id = i.id)
      AND NOT EXISTS (SELECT 1 FROM approval p WHERE p.instance_id = i.id AND p.state = 'requested')
      AND NOT EXISTS (SELECT 1 FROM operator_task o WHERE o.instance_id = i.id AND o.state = 'open')`,
  ],
  // A request that is with a runner has its lease, and one whose end nobody knows a question to a person.
  [
    "I9",
    `SELECT r.id FROM request r WHERE
      (r.state = 'leased' AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.request_id = r.id AND (l.state IN ('leased', 'started') OR l.verdict = 'pending')))
      OR (r.state = 'unknown' AND NOT EXISTS (SELECT 1 FROM operator_task o WHERE o.instance_id = r.instance_id))`,
  ],
];

/** What must hold at every moment, whatever was killed: all but I5 and I7, in one snapshot of the store. */
export function violationsOf({ store, counts }: History): Violations {
  const found: Violations = {};
  const add = (invariant: Invariant, what: readonly unknown[]) => {
    if (what.length > 0) found[invariant] = [...(found[invariant] ?? []), ...what];
  };
  // Before the snapshot: a line of a lease that the snapshot does not show as started would be a command too early.
  const ran = readdirSync(counts).map((lease) => ({
    lease,
    lines: readFileSync(join(counts, lease), "utf8"),
  }));
  store.transaction(() => {
    for (const [invariant, sql] of QUERIES) add(invariant, rows(store, sql));
    const started = new Set(
      rows<{ id: string }>(store, "SELECT id FROM lease WHERE start_message_id IS NOT NULL").map(
        ({ id }) => id,
      ),
    );
    add(
      "I8",
      // A file that is empty yet is one whose command is about to write.
      ran.filter(({ lease, lines }) => (lines !== "x\n" && lines !== "") || !started.has(lease)),
    );
    const read = <Input, Output>(query: Query<Input, Output>, input: Input): Output =>
      query(
        {
          all: (sql: string, ...values: never[]) => store.query(sql).all(...values) as never[],
          get: (sql: string, ...values: never[]) => (store.query(sql).get(...values) ?? undefined) as never,
        },
        input,
      );
    for (const tenantId of read(auditTenants, null)) {
      const { brokenAt } = read(verifyAudit, { tenantId });
      add("I6", brokenAt === null ? [] : [{ tenantId, brokenAt }]);
    }
  })();
  return found;
}

/** Processes of this host that are of a task in a workspace of this runner, and what of its leases stands on the disk. */
export function environmentsOf(dataDirectory: string): string[] {
  const processes = readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`LIGHTFLOW_WORKSPACE=${dataDirectory}/`);
    } catch {
      return false;
    }
  });
  return [...processes.map((pid) => `process ${pid}`), ...readdirSync(join(dataDirectory, "leases"))];
}

/** Files below a directory that hold a text. */
export const filesWith = (text: string, directory: string): string[] =>
  Bun.spawnSync(["grep", "-rlaF", text, directory]).stdout.toString().trim().split("\n").filter(Boolean);

/** And once nothing moves any more: no environment is left (I5), and the secret is nowhere on the disk (I7). */
export function leftoversOf(dataDirectory: string, canary: string, directory: string): Violations {
  const environments = environmentsOf(dataDirectory);
  const files = filesWith(canary, directory);
  return {
    ...(environments.length === 0 ? {} : { I5: environments }),
    ...(files.length === 0 ? {} : { I7: files }),
  };
}
