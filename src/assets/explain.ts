import { BROWSER_CAPABILITY } from "../protocol/lease.ts";
import type { StepTarget } from "./definition/types.ts";
import type { FoundWorkflow } from "./find.ts";
import type { PlannedStep } from "./plan/plan.ts";

/** Where a step's work is done. */
export type RunsAt = "orchestrator" | "runner" | "/ctx" | "http";

export interface ExplainedStep {
  readonly step_id: string;
  readonly kind: string;
  readonly runs_at: RunsAt;
  readonly node: string | null;
  readonly parents: readonly string[];
  readonly needs: readonly string[];
  /** Counts from 0: steps of one wave need nothing of each other. */
  readonly wave: number;
  readonly pool: string | null;
  /** What a runner has to offer. */
  readonly capabilities: readonly string[];
  readonly models: readonly string[];
  readonly repeats: string | null;
  readonly condition: string | null;
  readonly impure: boolean;
}

export interface Explanation {
  readonly workflow: string;
  readonly title: string;
  readonly source_path: string;
  readonly inputs: readonly string[];
  /** In the order in which they may start. */
  readonly steps: readonly ExplainedStep[];
  /** The most steps that can run at once. */
  readonly parallelism: number;
  readonly sequential: boolean;
  readonly models: readonly {
    readonly id: string;
    readonly candidates: readonly string[];
    readonly found: boolean;
  }[];
  readonly issues: readonly string[];
  /** A Mermaid flowchart. */
  readonly mermaid: string;
}

/** What a run of a workflow would do: steps, order, parallelism, places and models. Nothing is run. */
export function explainWorkflow(found: FoundWorkflow): Explanation {
  const { plan, definition, record, components } = found;
  const waves = wavesOf(plan.steps, plan.sequential);
  const steps = plan.steps
    .map((planned) => explainStep(planned, waves.get(planned.id) ?? 0))
    .sort((a, b) => a.wave - b.wave);
  const widths = new Map<number, number>();
  for (const { wave } of steps) widths.set(wave, (widths.get(wave) ?? 0) + 1);
  const models = new Set([...definition.required_models, ...plan.steps.flatMap((step) => step.models)]);
  const widest = Math.max(0, ...widths.values());
  return {
    workflow: record.meta.id,
    title: record.meta.title,
    source_path: record.source_path,
    inputs: Object.keys(definition.inputs ?? {}),
    steps,
    parallelism: Math.min(widest, definition.concurrency ?? widest),
    sequential: plan.sequential,
    models: [...models].map((id) => {
      const component = components.get(id);
      const candidates = component?.definition?.candidates ?? [];
      return { id, candidates: candidates.map(({ model }) => model), found: component !== undefined };
    }),
    issues: found.issues.map(({ message }) => message),
    mermaid: mermaidOf(plan.steps, plan.sequential),
  };
}

function explainStep(planned: PlannedStep, wave: number): ExplainedStep {
  const { step, target } = planned;
  const repeats =
    step.map !== undefined
      ? `for each of ${step.map.over}${step.map.concurrency === undefined ? "" : `, ${step.map.concurrency} at once`}`
      : step.while !== undefined
        ? `while ${step.while.that}, at most ${step.while.limit} times`
        : null;
  return {
    step_id: planned.id,
    kind: target.kind,
    runs_at: placeOf(target),
    node: planned.asset,
    parents: planned.parents,
    needs: planned.needs,
    wave,
    pool: target.kind === "command" || target.kind === "code" ? (target.pool ?? null) : null,
    capabilities: capabilitiesOf(target),
    models: planned.models,
    repeats,
    condition: step.if ?? null,
    impure: planned.impure,
  };
}

function capabilitiesOf(target: StepTarget): string[] {
  if (target.kind !== "command" && target.kind !== "code") return [];
  const hasBrowser = target.kind === "code" && target.browser !== undefined;
  return [...new Set([...target.capabilities, ...(hasBrowser ? [BROWSER_CAPABILITY] : [])])];
}

function placeOf(target: StepTarget): RunsAt {
  const { kind } = target;
  // Where an agent runs that says nothing of it is decided by policy, in the orchestrator where it can be.
  if (kind === "agent" && (target.with["mode"] === "runner" || target.workspace === "session"))
    return "runner";
  if (kind === "command" || kind === "code") return "runner";
  if (kind === "http") return "http";
  return kind === "api" || kind === "tool" || kind === "thread" ? "/ctx" : "orchestrator";
}

/** The longest way to each step, counted in steps. A circle, which is refused elsewhere, ends the count. */
function wavesOf(steps: readonly PlannedStep[], sequential: boolean): Map<string, number> {
  if (sequential) return new Map(steps.map(({ id }, at) => [id, at]));
  const waves = new Map<string, number>();
  const left = new Map(steps.map((step) => [step.id, step]));
  while (left.size > 0) {
    const ready = [...left.values()].filter((step) => step.needs.every((need) => !left.has(need)));
    if (ready.length === 0) break;
    for (const step of ready) {
      waves.set(step.id, Math.max(-1, ...step.needs.map((need) => waves.get(need) ?? -1)) + 1);
      left.delete(step.id);
    }
  }
  return waves;
}

const SHAPES: Readonly<Record<RunsAt, readonly [string, string]>> = {
  orchestrator: ["[", "]"],
  runner: ["[[", "]]"],
  "/ctx": ["([", "])"],
  http: [">", "]"],
};

function mermaidOf(steps: readonly PlannedStep[], sequential: boolean): string {
  const names = new Map(steps.map(({ id }, at) => [id, `s${at}`]));
  const lines = ["flowchart TD"];
  for (const planned of steps) {
    const [open, close] = SHAPES[placeOf(planned.target)];
    const label = `${planned.id}${planned.step.map === undefined ? "" : " ⨯ each"}`;
    lines.push(`  ${names.get(planned.id)}${open}"${label.replaceAll('"', "#quot;")}"${close}`);
  }
  for (const [at, planned] of steps.entries()) {
    const { id, needs, step, target } = planned;
    if (!sequential) {
      for (const need of needs) lines.push(`  ${names.get(need)} --> ${names.get(id)}`);
      continue;
    }
    if (target.kind === "switch") {
      for (const { when, then } of target.cases) {
        if (!names.has(then)) continue;
        lines.push(`  ${names.get(id)} -->|${when === undefined ? "otherwise" : "if"}| ${names.get(then)}`);
      }
      continue;
    }
    const next = step.then === undefined || step.then === "continue" ? steps[at + 1]?.id : step.then;
    if (next !== undefined && names.has(next)) lines.push(`  ${names.get(id)} --> ${names.get(next)}`);
  }
  return `${lines.join("\n")}\n`;
}
