import type { Json } from "../../base/json.ts";
import { listInputs } from "../instances/views.ts";
import type { Query } from "../operation.ts";

/** What a step of a run gave. */
export interface Outcome {
  reference: string;
  step_id: string;
  output: Json;
  /** Whether the output is a runner's record of what it executed. */
  record: boolean;
  /** Whether the step shared the run's workspace. */
  session: boolean;
}

/** The outputs of a run's steps that reach outside the engine, in the order in which they came. */
export const listOutcomes: Query<{ instanceId: string }, Outcome[]> = (tx, { instanceId }) => {
  const effects = new Map<string, Omit<Outcome, "output" | "record">>();
  const add = (
    rows: readonly { effect_id: string; reference: string; step_id: string; session?: number }[],
  ) => {
    for (const { effect_id, reference, step_id, session } of rows)
      effects.set(effect_id, { reference, step_id, session: session === 1 });
  };
  add(tx.all("SELECT effect_id, reference, step_id FROM native_call WHERE instance_id = ?", instanceId));
  add(tx.all("SELECT effect_id, reference, step_id FROM step_use WHERE instance_id = ?", instanceId));
  add(
    tx.all(
      `SELECT effect_id, reference, step_id, payload ->> '$.workspace.mode' = 'session' AS session
       FROM request WHERE instance_id = ?`,
      instanceId,
    ),
  );
  const outcomes: Outcome[] = [];
  // Also where the history has been archived.
  for (const { body } of listInputs(tx, { instanceId })) {
    const { kind, effect, output, record } = body as {
      kind: string;
      effect: string;
      output: Json;
      record?: true;
    };
    const known = kind === "effect_succeeded" ? effects.get(effect) : undefined;
    if (known !== undefined) outcomes.push({ ...known, output, record: record === true });
  }
  return outcomes;
};
