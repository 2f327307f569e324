import type { Json } from "../../base/json.ts";
import { type DiagnosticCode, type Problems, SourceProblem } from "../diagnostics.ts";
import type { AssetMeta } from "../kinds.ts";
import type { Returned } from "../module.ts";
import { orNearest } from "../nearest.ts";
import { type Constants, type Node, offsetOf, staticValue, ValueBudget } from "../values.ts";
import { type Chain, type ChainCall, readChain } from "./chain.ts";
import { camelCase, camelKeys, misfit } from "./check.ts";
import { COMPOSITION_METHODS, MODEL_METHODS, NODE_METHODS } from "./component.ts";
import type { Method, Methods } from "./methods.ts";
import type { ComponentDef, WorkflowDef } from "./types.ts";
import { WORKFLOW_METHODS } from "./workflow.ts";

/** Where the steps and parts of a definition stand in the text, for problems found later. */
export interface DefinitionMap {
  /** Offset of a place in a step's (or the output's) call; `path` leads into its last argument. */
  stepOffset(id: string, path?: readonly string[]): number;
  methodOffset(name: string): number;
  /** Where `.input(name, …)` or `.output(name, …)` stands. */
  portOffset(method: string, name: string): number;
}

export interface ReadDefinition<D> {
  readonly definition: D;
  readonly map: DefinitionMap;
}

/** Read `define()` of a workflow. Every problem is gathered; the answer is `undefined` when nothing can be read. */
export function readWorkflow(
  returned: Returned,
  meta: AssetMeta,
  path: string,
  problems: Problems,
): ReadDefinition<WorkflowDef> | undefined {
  return readDefinition<WorkflowDef>(
    returned,
    meta,
    path,
    { id: meta.id, input_schema: null, output_schema: null, required_models: [], steps: [] },
    WORKFLOW_METHODS,
    problems,
  );
}

/** Read `define()` of a node, a composition or a model. */
export function readComponent(
  returned: Returned,
  meta: AssetMeta,
  path: string,
  problems: Problems,
): ReadDefinition<ComponentDef> | undefined {
  const methods =
    meta.kind === "node" ? NODE_METHODS : meta.kind === "composition" ? COMPOSITION_METHODS : MODEL_METHODS;
  return readDefinition<ComponentDef>(returned, meta, path, { id: meta.id }, methods, problems);
}

function readDefinition<D>(
  returned: Returned,
  meta: AssetMeta,
  path: string,
  empty: D,
  methods: Methods<D>,
  problems: Problems,
): ReadDefinition<D> | undefined {
  const { constants } = returned;
  const chain = problems.attempt(() => checkRoot(readChain(returned.expression), meta, path, constants));
  if (chain === undefined) return undefined;
  const stepCalls = new Map<string, ChainCall>();
  const lastCalls = new Map<string, ChainCall>();
  const ports = new Map<string, ChainCall>();
  const budget = new ValueBudget();
  for (const call of chain.calls) {
    problems.attempt(() => {
      const name = camelCase(call.name);
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
      if (method === undefined) {
        throw new SourceProblem(
          "method_unknown",
          `${chain.root.name}() has no method ${call.name}${orNearest(name, Object.keys(methods))}`,
          `known methods: ${Object.keys(methods).join(", ")}`,
          call.offset,
        );
      }
      const args = readArguments(call, method, constants, budget);
      if (name === "input" || name === "output") ports.set(`${name} ${String(args[0])}`, call);
      else if (typeof args[0] === "string" && !stepCalls.has(args[0])) stepCalls.set(args[0], call);
      lastCalls.set(name, call);
      method.apply(empty, args, (argument, into, code, message, hint) => {
        throw problemAt(call, argument, into, constants, code, message, hint);
      });
    });
  }
  return {
    definition: empty,
    map: {
      stepOffset(id, into) {
        const call = stepCalls.get(id);
        const last = call?.arguments.at(-1);
        if (call === undefined || last === undefined) return returned.offset;
        return into === undefined ? call.offset : offsetOf(last, into, constants);
      },
      portOffset: (method, name) => ports.get(`${method} ${name}`)?.offset ?? returned.offset,
      methodOffset: (name) => lastCalls.get(name)?.offset ?? returned.offset,
    },
  };
}

function checkRoot(chain: Chain, meta: AssetMeta, path: string, constants: Constants): Chain {
  const { root } = chain;
  const problem = (code: DiagnosticCode, message: string, hint: string, offset = root.offset): never => {
    throw new SourceProblem(code, message, hint, offset);
  };
  if (root.name !== meta.kind) {
    problem(
      "define_unsupported",
      `${meta.kind} asset ${path} uses an unsupported define() shape: it starts with ${root.name}()`,
      `start with ${meta.kind}(META.id)`,
    );
  }
  const [argument] = root.arguments;
  if (root.arguments.length !== 1 || argument === undefined) {
    return problem("define_unsupported", `${root.name}() takes one argument`, `write ${root.name}(META.id)`);
  }
  const id = staticValue(argument, constants);
  if (id !== meta.id) {
    problem(
      "id_mismatch",
      `${meta.kind} asset ${path} define() id ${String(id)} does not match META id ${meta.id}`,
      `write ${root.name}(META.id)`,
      argument.start,
    );
  }
  return chain;
}

function readArguments<D>(
  call: ChainCall,
  method: Method<D>,
  constants: Constants,
  budget: ValueBudget,
): Json[] {
  const { required, optional, usage } = method;
  const count = call.arguments.length;
  if (count < required.length || count > required.length + optional.length) {
    throw new SourceProblem(
      "define_unsupported",
      `${call.name} got ${count} argument${count === 1 ? "" : "s"}`,
      `write ${camelCase(call.name)}${usage}`,
      call.offset,
    );
  }
  return call.arguments.map((argument, index) => {
    const schema = required[index] ?? optional[index - required.length]!;
    const value = camelKeys(schema, staticValue(argument, constants, budget));
    const wrong = misfit(schema, value);
    if (wrong !== undefined) {
      throw problemAt(
        call,
        index,
        wrong.path,
        constants,
        "value_invalid",
        `${camelCase(call.name)}, argument ${index + 1}: ${wrong.message}`,
        wrong.hint,
      );
    }
    return value;
  });
}

function problemAt(
  call: ChainCall,
  argument: number,
  path: readonly string[],
  constants: Constants,
  code: DiagnosticCode,
  message: string,
  hint: string,
): SourceProblem {
  const node: Node | undefined = call.arguments[argument];
  return new SourceProblem(
    code,
    message,
    hint,
    node === undefined ? call.offset : offsetOf(node, path, constants),
  );
}
