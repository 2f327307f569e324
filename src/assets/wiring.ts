import type { Json } from "../base/json.ts";
import type { DefinitionMap } from "./definition/read.ts";
import type { ComponentDef, StepTarget, WorkflowDef, WorkflowStepDef } from "./definition/types.ts";
import type { Problems } from "./diagnostics.ts";
import type { AssetKind } from "./kinds.ts";
import type { AssetModule } from "./module.ts";
import { orNearest } from "./nearest.ts";
import { isSequential } from "./plan/plan.ts";
import { expressionsIn, noReferences, referencesOf } from "./plan/references.ts";

/**
 * Check what the parts of a definition say of each other: where the flow goes, the inputs and steps that
 * expressions name, ports beside a schema, inputs that nothing reads. Problems are gathered.
 */
export function checkWiring(definition: WorkflowDef, map: DefinitionMap, problems: Problems): void {
  if (definition.inputs !== undefined && definition.input_schema !== null) {
    problems.add(
      "value_invalid",
      map.methodOffset("inputSchema"),
      "the workflow has typed inputs and an input schema",
      "state the inputs once: by input() or by inputSchema()",
    );
  }
  const names = new Names(definition, map, problems);
  names.checkSteps(definition.steps);
  names.check(definition.output, () => map.methodOffset("output"));
  if (isSequential(definition.steps)) {
    const step = definition.steps.find(({ needs }) => needs !== undefined);
    if (step !== undefined) {
      problems.add(
        "value_invalid",
        map.stepOffset(step.step_id, ["needs"]),
        "needs in a workflow that says where the flow goes",
        "the steps run in the order of writing: remove needs, or then and switch",
      );
    }
  }
  const resources = Object.keys(definition.resources ?? {});
  for (const step of definition.steps) {
    for (const name of Object.keys(step.resources ?? {})) {
      if (resources.includes(name)) continue;
      problems.add(
        "value_invalid",
        map.stepOffset(step.step_id, ["resources", name]),
        `there is no resource ${name}`,
        `add .resource("${name}", { capacity: 1 })${orNearest(name, resources)}`,
      );
    }
  }
  names.checkUnused();
}

/** The same for a node, a composition or a model. */
export function checkComponent(
  definition: ComponentDef,
  kind: AssetKind,
  map: DefinitionMap,
  module: AssetModule,
  problems: Problems,
): void {
  const names = new Names(definition, map, problems);
  if (kind === "composition") names.checkSteps(definition.steps ?? []);
  const { behaviour, result, outputs } = definition;
  if (behaviour !== undefined) {
    const { target, request } = behaviour;
    const offset = () => map.methodOffset(METHODS[target.kind] ?? target.kind);
    if (target.kind === "code") {
      if (!hasRun(module)) {
        problems.add(
          "value_invalid",
          offset(),
          "the file exports no function run",
          "add: export async function run(input, ctx) { … }",
        );
      }
      names.readsAll();
    } else names.check(target as unknown as Json, offset);
    const exchange = target.kind === "api" || target.kind === "tool" || target.kind === "thread";
    if (request?.kind === "json") names.check(request.body, offset);
    else if (exchange) names.readsAll();
  }
  names.check(result, () => map.methodOffset("result"));
  for (const name of Object.keys(result ?? {})) {
    const known = Object.keys(outputs ?? {});
    if (outputs === undefined || known.includes(name)) continue;
    problems.add(
      "port_unknown",
      map.methodOffset("result"),
      `there is no output ${name}`,
      `known outputs: ${known.join(", ")}${orNearest(name, known)}`,
    );
  }
  if (result !== undefined) {
    for (const [name, port] of Object.entries(outputs ?? {})) {
      if (port.required !== true || Object.hasOwn(result, name)) continue;
      problems.add(
        "port_missing",
        map.methodOffset("result"),
        `the result lacks the output ${name}`,
        `add ${name}: "\${ … }"`,
      );
    }
  }
  if (definition.steps !== undefined || behaviour !== undefined) names.checkUnused();
}

const METHODS: Readonly<Record<string, string>> = { set: "value" };

const hasRun = (module: AssetModule): boolean => {
  const local = module.aliases.get("run") ?? "run";
  return module.functions.has(local) || module.constants.has(local);
};

interface Named {
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly steps?: readonly WorkflowStepDef[];
}

/** In a `map` or a `while` there is at least a list, whose length may be asked for. */
const isSilent = ({ target, map, while: again }: WorkflowStepDef): boolean =>
  target.kind === "command" &&
  target.output === "text" &&
  target.artifacts.length === 0 &&
  map === undefined &&
  again === undefined;

/** The inputs and steps that the expressions of one definition name. */
class Names {
  readonly #ports: string[] | undefined;
  readonly #ids: string[];
  /** Commands whose log is all they leave. */
  readonly #silent: ReadonlySet<string>;
  readonly #used = new Set<string>();
  #readsAll = false;

  constructor(
    definition: Named,
    readonly map: DefinitionMap,
    readonly problems: Problems,
  ) {
    this.#ports = definition.inputs === undefined ? undefined : Object.keys(definition.inputs);
    const steps = definition.steps ?? [];
    this.#ids = steps.map((step) => step.step_id);
    this.#silent = new Set(steps.filter(isSilent).map((step) => step.step_id));
  }

  readsAll(): void {
    this.#readsAll = true;
  }

  checkSteps(steps: readonly WorkflowStepDef[]): void {
    for (const step of steps) this.#checkStep(step);
  }

  #checkStep(step: WorkflowStepDef): void {
    const { map, problems } = this;
    const id = step.step_id;
    const at = (path: readonly string[]) => () => map.stepOffset(id, path);
    if (step.then !== undefined) this.#goTo(step, step.then, ["then"]);
    for (const [index, need] of (step.needs ?? []).entries()) {
      if (this.#ids.includes(need)) continue;
      const hint = `known steps: ${this.#ids.join(", ")}${orNearest(need, this.#ids)}`;
      problems.add(
        "step_unknown",
        map.stepOffset(id, ["needs", String(index)]),
        `there is no step ${need}`,
        hint,
      );
    }
    this.check(step.if, at(["if"]));
    this.check(step.map?.over, at(["map", "over"]));
    this.check(step.while?.that, at(["while", "that"]));
    this.check(step.inputs, at(["inputs"]), (path) => at(["inputs", ...path]));
    if (step.target.kind === "switch") {
      for (const [index, item] of step.target.cases.entries())
        this.#goTo(step, item.then, [String(index), "then"]);
    }
    this.check(bodyOf(step.target), at([]), at);
    if (step.request?.kind === "json") {
      this.check(step.request.body, at(["request"]), (path) => at(["request", ...path]));
    } else if (step.request !== undefined) this.#input(step.request.input_field, () => map.stepOffset(id));
    else if (["api", "tool", "thread"].includes(step.target.kind)) this.readsAll();
  }

  #goTo(step: WorkflowStepDef, then: string, path: string[]): void {
    if (["continue", "exit", "end"].includes(then) || this.#ids.includes(then)) return;
    this.problems.add(
      "step_unknown",
      this.map.stepOffset(step.step_id, path),
      `there is no step ${then} to go to`,
      `write a step's id, continue, exit or end${orNearest(then, this.#ids)}`,
    );
  }

  /** Every expression of a value; `into` says where a part of it stands. */
  check(
    value: Json | undefined,
    offset: () => number,
    into: (path: readonly string[]) => () => number = () => offset,
  ): void {
    for (const { path, body } of expressionsIn(value)) {
      const found = referencesOf(`\${ ${body} }`, noReferences());
      const place = into(path);
      for (const [name] of found.inputs) this.#input(name!, place);
      if (found.allInputs) this.#readsAll = true;
      for (const [name, member] of found.steps) {
        if (member === "output" && this.#silent.has(name!)) {
          this.problems.warn(
            "output_empty",
            place(),
            `the output of the step ${name} is null: it leaves its log alone`,
            'say output: "json" there, and let the command write JSON to $LIGHTFLOW_OUTPUT',
          );
        }
        if (this.#ids.includes(name!)) continue;
        const hint = `known steps: ${this.#ids.join(", ")}${orNearest(name!, this.#ids)}`;
        this.problems.add("step_unknown", place(), `there is no step ${name}`, hint);
      }
    }
  }

  #input(name: string, offset: () => number): void {
    this.#used.add(name);
    const ports = this.#ports;
    if (ports === undefined || ports.includes(name)) return;
    const hint = `known inputs: ${ports.join(", ")}${orNearest(name, ports)}`;
    this.problems.add("input_unknown", offset(), `there is no input ${name}`, hint);
  }

  checkUnused(): void {
    if (this.#readsAll) return;
    for (const name of this.#ports ?? []) {
      if (this.#used.has(name)) continue;
      this.problems.warn(
        "input_unused",
        this.map.portOffset("input", name),
        `nothing reads the input ${name}`,
        `use \${ .inputs.${name} }, or remove it`,
      );
    }
  }
}

/** The part of a target that its step's last argument spells out, so that paths into it lead into the text. */
function bodyOf(target: StepTarget): Json {
  if (target.kind === "set") return target.value;
  if (target.kind === "switch") return target.cases as unknown as Json;
  return target as unknown as Json;
}
