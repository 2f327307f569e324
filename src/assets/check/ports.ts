import type { Json } from "../../base/json.ts";
import type { ComponentDef, Port, WorkflowStepDef } from "../definition/types.ts";
import type { DiagnosticCode } from "../diagnostics.ts";
import { issueOf } from "../inputs.ts";
import { orNearest } from "../nearest.ts";
import type { Components } from "../plan/plan.ts";
import { expressionBody, expressionsIn, pathOf, referencesOf, treeOf } from "../plan/references.ts";

/** What does not fit between a step and the ports that it wires; `path` leads into the step's options. */
export interface PortProblem {
  readonly code: DiagnosticCode;
  readonly step: string;
  readonly path: readonly string[];
  readonly message: string;
  readonly hint: string;
}

interface Wired {
  readonly inputs?: Readonly<Record<string, Port>>;
  readonly steps?: readonly WorkflowStepDef[];
}

/**
 * The wiring of a workflow or a composition against the ports of what it uses: missing and unknown ones, literal values
 * that a port would not take, and paths whose port has another type. What an expression computes is left to the run.
 */
export function checkPorts(definition: Wired, components: Components): PortProblem[] {
  const problems: PortProblem[] = [];
  const steps = definition.steps ?? [];
  const of = (id: string): WorkflowStepDef | undefined => steps.find((step) => step.step_id === id);
  for (const step of steps) {
    const refuse = (code: DiagnosticCode, path: readonly string[], message: string, hint: string) =>
      problems.push({ code, step: step.step_id, path, message, hint });
    // Outputs that no port declares, wherever the step reads them.
    const { inputs: wired, target, request, if: condition, map, while: again } = step;
    const read = [wired ?? null, target as unknown as Json, (request ?? null) as unknown as Json];
    const conditions = [condition ?? null, map?.over ?? null, again?.that ?? null];
    for (const [id, output, name] of referencesOf([...read, ...conditions]).steps) {
      const outputs = outputsOf(of(id!), components);
      if (output !== "output" || name === undefined || outputs === undefined || of(id!)?.map) continue;
      if (Object.hasOwn(outputs, name)) continue;
      const known = Object.keys(outputs);
      refuse(
        "port_unknown",
        [],
        `the step ${id} has no output ${name}`,
        `known outputs: ${known.join(", ")}${orNearest(name, known)}`,
      );
    }
    if (target.kind !== "use") continue;
    const asset = step.node_or_composition_id!;
    const component = components.get(asset)?.definition;
    if (component === undefined) continue;
    const ports = component.inputs ?? {};
    for (const [name, value] of Object.entries(wired ?? {})) {
      const port = Object.hasOwn(ports, name) ? ports[name]! : undefined;
      if (port === undefined) {
        const known = Object.keys(ports);
        refuse(
          "port_unknown",
          ["inputs", name],
          `${asset} has no input ${name}`,
          known.length === 0
            ? "it has no inputs"
            : `known inputs: ${known.join(", ")}${orNearest(name, known)}`,
        );
        continue;
      }
      const issue = misfitOf(value, port, definition, of, components);
      if (issue !== undefined) {
        refuse(
          "type_mismatch",
          ["inputs", name],
          `the input ${name} of ${asset} ${issue}`,
          `give it ${describe(port)}`,
        );
      }
    }
    for (const [name, port] of Object.entries(ports)) {
      if (port.required !== true || Object.hasOwn(wired ?? {}, name)) continue;
      refuse(
        "port_missing",
        [],
        `the step ${step.step_id} does not wire the input ${name} of ${asset}`,
        `add inputs: { ${name}: … }: ${describe(port)}`,
      );
    }
  }
  return problems;
}

function misfitOf(
  value: Json,
  port: Port,
  definition: Wired,
  of: (id: string) => WorkflowStepDef | undefined,
  components: Components,
): string | undefined {
  if (expressionsIn(value).length === 0) return issueOf(port, value);
  const body = typeof value === "string" ? expressionBody(value) : undefined;
  const tree = body === undefined ? undefined : treeOf(body);
  const path = tree === undefined ? undefined : pathOf(tree);
  if (path === undefined) return undefined;
  const source = sourceOf(path, definition, of, components);
  if (source === undefined || fits(source, port)) return undefined;
  return `takes ${describe(port)}, and .${path.join(".")} is ${describe(source)}`;
}

/** The port that a path leads to, if it leads to a whole one. */
function sourceOf(
  path: readonly string[],
  definition: Wired,
  of: (id: string) => WorkflowStepDef | undefined,
  components: Components,
): Port | undefined {
  const [section, name, output, member, ...rest] = path;
  if (section === "inputs" && output === undefined) return definition.inputs?.[name ?? ""];
  if (section !== "steps" || output !== "output" || member === undefined || rest.length > 0) return undefined;
  const step = of(name!);
  if (step?.map !== undefined) return undefined;
  return outputsOf(step, components)?.[member];
}

function outputsOf(
  step: WorkflowStepDef | undefined,
  components: Components,
): ComponentDef["outputs"] | undefined {
  if (step?.target.kind !== "use") return undefined;
  return components.get(step.node_or_composition_id!)?.definition?.outputs;
}

/** Types whose every value another type takes. */
const WIDER: Readonly<Record<Port["type"], readonly Port["type"][]>> = {
  string: ["string", "path"],
  integer: ["integer", "number"],
  number: ["number"],
  boolean: ["boolean"],
  json: ["string", "integer", "number", "boolean", "json", "path", "artifact"],
  path: ["path", "string"],
  artifact: ["artifact", "string"],
};

function fits(source: Port, port: Port): boolean {
  if (port.type === "json" && port.list !== true) return true;
  if ((source.list ?? false) !== (port.list ?? false)) return source.type === "json";
  return port.type === "json" || WIDER[source.type].includes(port.type);
}

const describe = ({ type, list }: Port): string =>
  list === true ? `a list of ${type}` : `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
