import type { Json, JsonObject } from "../../src/base/json.ts";
import {
  advance,
  Definition,
  ENGINE_VERSION,
  type EngineInput,
  type Instance,
  newInstance,
} from "../../src/engine/index.ts";
import { type InstanceRow, listInputs, type Query, readDefinition } from "../../src/store/index.ts";

interface Views {
  read<Input, Output>(query: Query<Input, Output>, input: Input): Output;
}

const everyInstance: Query<null, InstanceRow[]> = (tx) => tx.all("SELECT * FROM instance ORDER BY rowid");

/**
 * Fold every stored history of a store: the inputs of each instance, each with its recorded time, rebuild its snapshot byte
 * for byte. @returns how many instances were folded @throws Error that names the first one that differs
 */
export function foldHistories(store: Views): number {
  const definitions = new Map<string, Definition>();
  const rows = store.read(everyInstance, null);
  for (const row of rows) {
    // A run that its user takes step by step has no inputs: nothing advances it.
    if (row.input_seq === 0) continue;
    let definition = definitions.get(row.definition_digest);
    if (definition === undefined) {
      definition = new Definition(store.read(readDefinition, row.definition_digest)!, row.definition_digest);
      definitions.set(row.definition_digest, definition);
    }
    const folded = fold(store, row, definition);
    if (folded !== row.snapshot)
      throw new Error(
        `the history of ${row.run_id} does not fold to its snapshot:\n${folded}\n${row.snapshot}`,
      );
  }
  return rows.length;
}

function fold(store: Views, row: InstanceRow, definition: Definition): string {
  const { depth } = JSON.parse(row.snapshot) as { depth?: number };
  const first: Instance = newInstance(row.id, row.run_id, row.created_at);
  let snapshot = JSON.stringify(depth === undefined ? first : { ...first, depth });
  for (const input of store.read(listInputs, { instanceId: row.id })) {
    if (input.engine_version !== ENGINE_VERSION)
      throw new Error(`${row.run_id} is of another engine version`);
    const advanced = advance(
      definition,
      JSON.parse(snapshot) as Instance,
      input.body as JsonObject as unknown as EngineInput,
      input.recorded_at,
    );
    snapshot = JSON.stringify(advanced.instance as unknown as Json);
  }
  return snapshot;
}
