import { expect } from "bun:test";
import type { Json, JsonObject } from "../../src/base/json.ts";
import {
  advance,
  Definition,
  type Effect,
  type EngineInput,
  type Instance,
  newInstance,
  type Transition,
} from "../../src/engine/index.ts";

/** Drives one instance as the orchestrator does: every input through a JSON snapshot, so nothing else is remembered. */
export class Drive {
  readonly definition: Definition;
  readonly inputs: { input: EngineInput; at: number }[] = [];
  readonly effects: Effect[] = [];
  readonly transitions: Transition[] = [];
  snapshot: string;
  now = 1_000;

  constructor(document: JsonObject | Json[], input: Json = null) {
    const whole = Array.isArray(document) ? { do: document } : document;
    this.definition = new Definition(
      { document: { dsl: "1.0.3", namespace: "t", name: "t", version: "1.0.0" }, ...whole },
      "d",
    );
    this.snapshot = JSON.stringify(newInstance("i", "r", this.now));
    this.put({ kind: "start", input });
  }
  put(input: EngineInput): this {
    this.inputs.push({ input, at: this.now });
    const before = this.snapshot;
    const once = advance(this.definition, JSON.parse(before) as Instance, input, this.now);
    const again = advance(this.definition, JSON.parse(before) as Instance, input, this.now);
    // Pure: the same input into the same snapshot gives the same everything.
    expect(JSON.stringify(again)).toBe(JSON.stringify(once));
    this.snapshot = JSON.stringify(once.instance);
    this.effects.push(...once.effects);
    this.transitions.push(...once.transitions);
    return this;
  }
  get instance(): Instance {
    return JSON.parse(this.snapshot) as Instance;
  }
  /** The nth effect of a kind so far. */
  effect<Kind extends Effect["kind"]>(kind: Kind, position = -1): Extract<Effect, { kind: Kind }> {
    return this.effects.filter((each) => each.kind === kind).at(position) as Extract<Effect, { kind: Kind }>;
  }
  succeed(record: JsonObject, position = -1): this {
    return this.put({ kind: "effect_succeeded", effect: this.effect("run", position).id, output: record });
  }
  fire(position = -1): this {
    const timer = this.effect("timer", position);
    this.now = timer.due_at;
    return this.put({ kind: "timer", effect: timer.id });
  }
  /** Folding the recorded inputs rebuilds the snapshot byte for byte. */
  expectFold(): this {
    let folded = JSON.stringify(newInstance("i", "r", 1_000));
    for (const { input, at } of this.inputs) {
      folded = JSON.stringify(advance(this.definition, JSON.parse(folded) as Instance, input, at).instance);
    }
    expect(folded).toBe(this.snapshot);
    return this;
  }
  get steps(): string[] {
    return this.transitions.filter(({ event }) => event === "step.started").map(({ step_id }) => step_id!);
  }
}

/** A task for a runner. */
export const shell = (more: JsonObject = {}): JsonObject => ({
  run: { shell: { command: "true", ...more } },
});
