import type {
  ArrowFunctionExpression,
  Expression,
  Function as FunctionNode,
  Program,
} from "@oxc-project/types";
import { SourceProblem } from "./diagnostics.ts";
import { type Constants, unwrap } from "./values.ts";

/** What a module declares at its top level, as far as an asset needs it. */
export interface AssetModule {
  readonly constants: Map<string, Expression>;
  /** Names declared otherwise, with the reason why they are not read. */
  readonly unread: ReadonlyMap<
    string,
    { readonly offset: number; readonly reason: string; readonly hint: string }
  >;
  readonly functions: ReadonlyMap<string, FunctionNode>;
  /** `export { local as exported }`. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Collect the top level of a program. Imports are not followed. */
export function readModule(program: Program): AssetModule {
  const constants = new Map<string, Expression>();
  const unread = new Map<string, { offset: number; reason: string; hint: string }>();
  const functions = new Map<string, FunctionNode>();
  const aliases = new Map<string, string>();
  for (const statement of program.body) {
    let declaration: (typeof program.body)[number] | null = statement;
    if (statement.type === "ExportNamedDeclaration") {
      for (const specifier of statement.source === null ? statement.specifiers : []) {
        if (specifier.local.type === "Identifier" && specifier.exported.type === "Identifier") {
          aliases.set(specifier.exported.name, specifier.local.name);
        }
      }
      declaration = statement.declaration;
    }
    if (declaration?.type === "FunctionDeclaration" && declaration.id) {
      if (!functions.has(declaration.id.name)) functions.set(declaration.id.name, declaration);
    } else if (declaration?.type === "VariableDeclaration") {
      for (const { id, init, start } of declaration.declarations) {
        if (id.type !== "Identifier" || constants.has(id.name)) continue;
        if (declaration.kind === "const" && init !== null) constants.set(id.name, init);
        else {
          unread.set(id.name, {
            offset: start,
            reason: `${id.name} is declared with ${declaration.kind}, so its value could change`,
            hint: `declare it with const: export const ${id.name} = …`,
          });
        }
      }
    }
  }
  return { constants, unread, functions, aliases };
}

/** The initialiser of a top-level constant by the name that it is exported or declared with. */
export function constantOf(module: AssetModule, name: string): Expression | undefined {
  const local = module.aliases.get(name) ?? name;
  const unread = module.unread.get(local);
  if (unread !== undefined)
    throw new SourceProblem("meta_invalid", unread.reason, unread.hint, unread.offset);
  return module.constants.get(local);
}

/** The expression that a function returns, with the constants that its body adds. */
export interface Returned {
  readonly expression: Expression;
  readonly constants: Constants;
  readonly offset: number;
}

/**
 * What the top-level function `name` returns: a function declaration, or a constant that is a function expression
 * or an arrow. Its body may declare constants and must end in `return`.
 */
export function returnedBy(module: AssetModule, name: string): Returned | undefined {
  const local = module.aliases.get(name) ?? name;
  const constant = module.constants.get(local);
  const value = constant === undefined ? undefined : unwrap(constant);
  const fn: FunctionNode | ArrowFunctionExpression | undefined =
    module.functions.get(local) ??
    (value?.type === "ArrowFunctionExpression" || value?.type === "FunctionExpression" ? value : undefined);
  if (fn === undefined) return undefined;
  const shape = (offset: number, message: string): never => {
    throw new SourceProblem(
      "define_unsupported",
      message,
      `let ${name}() do nothing but return one builder chain: return workflow(META.id).…`,
      offset,
    );
  };
  if (fn.async || ("generator" in fn && fn.generator)) shape(fn.start, `${name}() must be a plain function`);
  if (fn.params.length > 0) shape(fn.start, `${name}() takes no parameters`);
  const body = fn.body ?? shape(fn.start, `${name}() has no body`);
  if (body.type !== "BlockStatement") {
    return { expression: body as Expression, constants: module.constants, offset: fn.start };
  }
  const constants = new Map(module.constants);
  const last = body.body.at(-1);
  for (const statement of body.body) {
    if (statement === last) break;
    if (statement.type !== "VariableDeclaration" || statement.kind !== "const") {
      shape(statement.start, `${name}() does more than return`);
      continue;
    }
    for (const { id, init } of statement.declarations) {
      if (id.type === "Identifier" && init !== null) constants.set(id.name, init);
    }
  }
  if (last?.type !== "ReturnStatement" || last.argument === null) {
    return shape(last?.start ?? fn.start, `${name}() does not end in return`);
  }
  return { expression: last.argument, constants, offset: fn.start };
}
