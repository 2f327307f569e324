import type { Json, JsonObject } from "../../base/json.ts";
import type {
  CommandTarget,
  ComponentDef,
  StepTarget,
  WorkflowDef,
  WorkflowStepDef,
} from "../definition/types.ts";
import type { AssetRecord } from "../kinds.ts";
import { PlanIssues } from "./issues.ts";
import { behaviourReferences, conditionsOf } from "./reads.ts";
import { type References, referencesOf } from "./references.ts";
import type { Components, Plan, PlannedStep } from "./types.ts";
import { innerView, loopView, ROOT_VIEW, type View } from "./view.ts";

export type { Component, Components, Plan, PlanIssue, PlannedStep } from "./types.ts";

/** Compositions within compositions: far beyond what a person writes. */
const DEPTH = 16;
/** Steps after expansion; more fill the state of a run. */
const STEPS = 5000;

/** Whether the author says where the flow goes; else the wiring does. */
export function isSequential(steps: readonly WorkflowStepDef[]): boolean {
  return steps.some((step) => step.then !== undefined || step.target.kind === "switch");
}

/** A workflow's steps with every composition expanded and every node's behaviour in its place. */
export function planWorkflow(definition: WorkflowDef, record: AssetRecord, components: Components): Plan {
  const issues = new PlanIssues(record.meta.id, components);
  const planner = new Planner(definition, components, issues);
  planner.expand(definition.steps, {
    prefix: "",
    parents: [],
    view: ROOT_VIEW,
    source: record.source_sha256,
    sourceId: record.meta.id,
    conditions: [],
    needs: [],
    impure: false,
    shown: null,
    models: definition.required_models,
    open: [],
  });
  issues.checkModels(definition.required_models, null);
  return {
    steps: planner.steps,
    issues: issues.found,
    sequential: planner.sequential,
    entries: planner.entries,
  };
}

/** What holds for the steps of one level: the workflow's own, or those of one composition. */
interface Level {
  readonly prefix: string;
  readonly parents: readonly string[];
  readonly view: View;
  readonly source: string;
  readonly sourceId: string;
  readonly conditions: PlannedStep["conditions"];
  /** What each of its steps needs, because the composition does. */
  readonly needs: readonly string[];
  readonly impure: boolean;
  /** The workflow's own step that all of this comes from, for problems. */
  readonly shown: string | null;
  /** Aliases that request templates may name. */
  readonly models: readonly string[];
  /** Compositions being expanded. */
  readonly open: readonly string[];
}

class Planner {
  readonly steps: PlannedStep[] = [];
  readonly entries = new Map<string, string>();
  readonly sequential: boolean;
  readonly #issues: PlanIssues;
  readonly #components: Components;
  /** The last command that changed the run's workspace, and those that had a copy of it since: the next one waits. */
  #session: string | undefined;
  #copies: string[] = [];

  constructor(definition: WorkflowDef, components: Components, issues: PlanIssues) {
    this.#issues = issues;
    this.#components = components;
    this.sequential = isSequential(definition.steps);
  }

  expand(steps: readonly WorkflowStepDef[], level: Level): void {
    /** An assertion or a failure is a gate: what is written behind it waits for it. */
    let gate: string | undefined;
    const before: string[] = [];
    for (const step of steps) {
      const id = level.prefix + step.step_id;
      const named = (name: string) => level.prefix + name;
      const needs = [...level.needs, ...(step.needs ?? []).map(named), ...(gate === undefined ? [] : [gate])];
      const shown = level.shown ?? step.step_id;
      if (this.steps.length >= STEPS) {
        this.#issues.add(
          "step_unsupported",
          shown,
          `the plan has more than ${STEPS} steps`,
          "split the workflow",
        );
        return;
      }
      const looped = step.map !== undefined ? "map" : step.while !== undefined ? "while" : undefined;
      const view = looped === undefined ? level.view : loopView(level.view, looped);
      if (step.target.kind === "use") this.#use(step, id, level, view, needs, shown, before);
      else this.#plain(step, id, level, view, needs, shown, before);
      if (step.target.kind === "assert" || step.target.kind === "fail") gate = id;
      before.push(id);
    }
  }

  /** A step that says itself what it does. */
  #plain(
    step: WorkflowStepDef,
    id: string,
    level: Level,
    view: View,
    needs: readonly string[],
    shown: string,
    before: readonly string[],
  ): void {
    const asset = step.node_or_composition_id;
    // A missing one is an issue, but the reference is a label only: the plan stands all the same.
    if (asset !== null) this.#issues.known(asset, shown, false);
    this.#issues.checkTemplate(step, level.models, shown);
    const component = asset === null ? undefined : this.#components.get(asset);
    this.#push({
      id,
      level,
      step,
      target: step.target,
      outer: level.view,
      inner: view,
      view,
      needs,
      before,
      asset,
      source: component?.record.source_sha256 ?? level.source,
      sourceId: component?.record.meta.id ?? level.sourceId,
      node: undefined,
      models: templateModels(step),
      impure: step.impure === true || level.impure,
      extra: [],
    });
  }

  /** A step that uses a node or a composition. */
  #use(
    step: WorkflowStepDef,
    id: string,
    level: Level,
    view: View,
    needs: readonly string[],
    shown: string,
    before: readonly string[],
  ): void {
    const asset = step.node_or_composition_id!;
    if (!this.#issues.known(asset, shown, true)) return;
    const { definition, record } = this.#components.get(asset)!;
    const wired = { ...defaultsOf(definition), ...step.inputs };
    this.#issues.checkModels(definition?.required_models ?? [], shown);
    if (record.meta.kind === "composition") {
      this.#compose(step, id, level, needs, shown, before, { definition: definition!, record, wired });
      return;
    }
    if (definition?.behaviour === undefined) {
      this.#issues.add(
        "node_without_behaviour",
        shown,
        `the node ${asset} has no behaviour`,
        "give it one: .api(…), .tool(…), .command(…), .http(…), .code() or .value(…)",
      );
      return;
    }
    const { target, request } = definition.behaviour;
    const resolved: WorkflowStepDef = {
      ...(definition.timeout === undefined ? {} : { timeout: definition.timeout }),
      ...(definition.retry === undefined ? {} : { retry: definition.retry }),
      ...(definition.resources === undefined ? {} : { resources: definition.resources }),
      ...step,
      target,
      ...(request === undefined ? {} : { request }),
    };
    this.#push({
      id,
      level,
      step: resolved,
      target,
      outer: level.view,
      inner: innerView(view, wired, new Map()),
      view,
      needs,
      before,
      asset,
      source: record.source_sha256,
      sourceId: record.meta.id,
      node: definition,
      models: definition.required_models ?? [],
      impure: step.impure === true || definition.impure === true || level.impure,
      extra: [definition.result],
    });
  }

  /** Every step of a composition, and one more that gathers its result under the composition step's own id. */
  #compose(
    step: WorkflowStepDef,
    id: string,
    level: Level,
    needs: readonly string[],
    shown: string,
    before: readonly string[],
    used: { definition: ComponentDef; record: AssetRecord; wired: JsonObject },
  ): void {
    const { definition, record, wired } = used;
    const asset = record.meta.id;
    for (const [key, what] of [
      ["map", "once for each item"],
      ["while", "in a loop"],
      ["retry", "again"],
      ["timeout", "under a timeout"],
      ["resources", "with resources"],
      ["tolerate", "with its failure tolerated"],
    ] as const) {
      if (step[key] === undefined) continue;
      this.#issues.add(
        "step_unsupported",
        shown,
        `a composition does not run ${what}`,
        `put ${key} on the steps inside ${asset}, or use a node`,
      );
    }
    if (isSequential(definition.steps ?? [])) {
      this.#issues.add(
        "step_unsupported",
        shown,
        `the composition ${asset} says where the flow goes`,
        "use if and needs in compositions; then and switch stand in workflows",
      );
      return;
    }
    if (level.open.includes(asset) || level.open.length >= DEPTH) {
      this.#issues.add(
        "cycle",
        shown,
        `the composition ${asset} uses itself: ${[...level.open, asset].join(" → ")}`,
        "remove the circle",
      );
      return;
    }
    const inside = definition.steps ?? [];
    const roots = new Map(inside.map(({ step_id }) => [step_id, `${id}.${step_id}`]));
    const view = innerView(level.view, wired, roots);
    const parents = [...level.parents, id];
    const conditions = [
      ...level.conditions,
      ...(step.if === undefined ? [] : [{ expression: step.if, view: level.view }]),
    ];
    const first = this.steps.length;
    this.expand(inside, {
      prefix: `${id}.`,
      parents,
      view,
      source: record.source_sha256,
      sourceId: asset,
      conditions,
      needs,
      impure: step.impure === true || level.impure,
      shown,
      models: definition.required_models ?? [],
      open: [...level.open, asset],
    });
    this.entries.set(id, this.steps[first]?.id ?? id);
    const { if: _if, inputs: _inputs, map: _map, while: _while, retry: _retry, ...rest } = step;
    const { timeout: _timeout, resources: _resources, ...gathering } = rest;
    this.#push({
      id,
      level: { ...level, conditions },
      step: { ...gathering, target: { kind: "set", value: definition.result ?? {} } },
      target: { kind: "set", value: definition.result ?? {} },
      outer: level.view,
      inner: view,
      view,
      needs: [...needs, ...roots.values()],
      before,
      asset,
      source: record.source_sha256,
      sourceId: asset,
      node: definition.outputs === undefined ? undefined : { id: asset, outputs: definition.outputs },
      models: [],
      impure: false,
      extra: [],
    });
  }

  /** A copy is of what the commands before it left: it waits for the last one that wrote, and the next one for it. */
  #orderBySession(id: string, workspace: CommandTarget["workspace"], needs: Set<string>): void {
    const copies = typeof workspace !== "string";
    const reads = copies && workspace.copyOnWrite === "session";
    const writes = copies ? workspace.commit === true : workspace === "session";
    if ((reads || writes) && this.#session !== undefined) needs.add(this.#session);
    if (writes) {
      for (const copy of this.#copies) needs.add(copy);
      this.#copies = [];
      this.#session = id;
    } else if (reads) this.#copies.push(id);
  }

  #push(made: {
    id: string;
    level: Level;
    step: WorkflowStepDef;
    target: StepTarget;
    outer: View;
    inner: View;
    view: View;
    needs: readonly string[];
    before: readonly string[];
    asset: string | null;
    source: string;
    sourceId: string;
    node: ComponentDef | undefined;
    models: readonly string[];
    impure: boolean;
    extra: readonly (Json | undefined)[];
  }): void {
    const { id, level, step, target, inner, outer } = made;
    const needs = new Set(made.needs);
    const add = (view: View, references: References) => {
      const read = view.atRoot(references);
      for (const [name] of read.steps) needs.add(name!);
      if (read.allSteps) for (const name of made.before) needs.add(name);
    };
    add(inner, behaviourReferences(target, step, made.extra));
    add(outer, referencesOf(conditionsOf(step)));
    for (const { expression, view } of level.conditions) add(view, referencesOf(expression));
    if (target.kind === "command" || target.kind === "agent")
      this.#orderBySession(id, target.workspace ?? "ephemeral", needs);
    needs.delete(id);
    this.steps.push({
      id,
      parents: level.parents,
      asset: made.asset,
      source: made.source,
      sourceId: made.sourceId,
      step,
      target,
      needs: [...needs],
      outer,
      inner,
      conditions: level.conditions,
      node: made.node,
      models: made.models,
      impure: made.impure,
    });
  }
}

function defaultsOf(definition: ComponentDef | undefined): JsonObject {
  const defaults: JsonObject = {};
  for (const [name, port] of Object.entries(definition?.inputs ?? {})) {
    if (port.default !== undefined) defaults[name] = port.default;
  }
  return defaults;
}

function templateModels(step: WorkflowStepDef): string[] {
  return step.request !== undefined && step.request.kind !== "json" ? [step.request.model_alias] : [];
}
