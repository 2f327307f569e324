import { Failure } from "../base/errors.ts";
import type { Json, JsonObject } from "../base/json.ts";
import { compileProgram, type Program, type RunOptions } from "./program.ts";
import { setMember } from "./values/object.ts";

/**
 * How texts of a document are read (Serverless Workflow DSL 1.0.3, "Runtime expressions"). `strict`: only a whole
 * `${ … }` is an expression. `loose`: every text is tried, and stays as it is where it does not compile or fails.
 */
export type ExpressionMode = "strict" | "loose";
export type Evaluate = (input: Json, options?: RunOptions) => Json;

export interface TemplateOptions {
  readonly mode?: ExpressionMode;
  /** The free variables that an expression may use at this place. */
  readonly declared?: readonly string[];
}

export interface ExpressionOptions extends TemplateOptions {
  /** The place takes nothing but expressions (`if`, `when`, `in`, …): bare text is one too. */
  readonly bare?: boolean;
}

/** The jq program of a whole `${ … }`, or null. Blanks around it do not count. */
function programOf(text: string): string | null {
  const trimmed = text.trim();
  if (!trimmed.startsWith("${") || !trimmed.endsWith("}")) return null;
  const inner = trimmed.slice(2, -1);
  return closesInside(inner) ? null : inner;
}

/**
 * Whether a closing brace before the end belongs to the opening `${`, as in `${ .a } and ${ .b }`. Braces in strings
 * count nothing, but those of an interpolation do.
 */
function closesInside(inner: string): boolean {
  // What is open, innermost last: a brace, a parenthesis, or a string around it.
  const open: ("{" | "(" | '"')[] = [];
  for (let at = 0; at < inner.length; at++) {
    const character = inner[at]!;
    if (open.at(-1) === '"') {
      if (character === "\\") {
        if (inner[++at] === "(") open.push("(");
      } else if (character === '"') open.pop();
    } else if (character === '"' || character === "{" || character === "(") open.push(character);
    else if (character === "#") while (at + 1 < inner.length && inner[at + 1] !== "\n") at++;
    else if (character === ")" && open.at(-1) === "(") open.pop();
    else if (character === "}") {
      if (open.length === 0) return true;
      if (open.at(-1) === "{") open.pop();
    }
  }
  return false;
}

/** Whether the whole text is `${ … }`. */
export function isExpression(text: string): boolean {
  return programOf(text) !== null;
}

/** Whether the text holds `${` without being one expression: the language does not say what it means. */
export function partialExpression(text: string): boolean {
  return text.includes("${") && !isExpression(text);
}

const constantly =
  (value: Json): Evaluate =>
  () =>
    value;

function evaluator(program: Program): Evaluate {
  return (input, options) => program.first(input, options);
}

/** Loose mode: a text that is no program, or fails as one, is itself. Running out of budget is still an error. */
function attempted(text: string, program: string, declared: readonly string[] | undefined): Evaluate {
  let compiled: Program;
  try {
    compiled = compileProgram(program, declared);
  } catch (error) {
    if (error instanceof Failure && error.code === "expression_invalid") return constantly(text);
    throw error;
  }
  return (input, options) => {
    try {
      return compiled.first(input, options);
    } catch (error) {
      if (error instanceof Failure && error.code === "expression_failed") return text;
      throw error;
    }
  };
}

/**
 * Compile one text of a document.
 * @throws expression_invalid
 * @example compileExpression("${ .a + 1 }", {})({ a: 1 }) // 2
 */
export function compileExpression(text: string, options: ExpressionOptions): Evaluate {
  const program = programOf(text);
  if (program !== null) return evaluator(compileProgram(program, options.declared));
  if (options.bare === true && options.mode !== "loose")
    return evaluator(compileProgram(text, options.declared));
  return options.mode === "loose" ? attempted(text, text, options.declared) : constantly(text);
}

interface Part {
  readonly evaluate: Evaluate;
  readonly constant: boolean;
}

/**
 * Compile a JSON value of a document with expressions anywhere in it. Parts without any are the same objects in every
 * result. Only the texts of the document are expressions: what they come to is data, and is never looked at again.
 * @throws expression_invalid
 */
export function compileTemplate(value: Json, options: TemplateOptions): Evaluate {
  const { evaluate, constant } = templatePart(value, options);
  if (constant) constants.add(evaluate);
  return evaluate;
}

const constants = new WeakSet<Evaluate>();

/** Whether a compiled template holds no expression: it needs neither input nor arguments. */
export const isConstant = (evaluate: Evaluate): boolean => constants.has(evaluate);

function templatePart(value: Json, options: TemplateOptions): Part {
  if (typeof value === "string") {
    const constant = programOf(value) === null && options.mode !== "loose";
    return { evaluate: compileExpression(value, options), constant };
  }
  const fixed: Part = { evaluate: constantly(value), constant: true };
  if (typeof value !== "object" || value === null) return fixed;
  if (Array.isArray(value)) {
    const parts = value.map((item) => templatePart(item, options));
    if (parts.every((part) => part.constant)) return fixed;
    return {
      constant: false,
      evaluate: (input, run) => parts.map((part) => part.evaluate(input, run)),
    };
  }
  const parts = Object.keys(value).map((key) => ({ key, ...templatePart(value[key]!, options) }));
  if (parts.every((part) => part.constant)) return fixed;
  return {
    constant: false,
    evaluate: (input, run) => {
      const made: JsonObject = {};
      for (const part of parts) setMember(made, part.key, part.evaluate(input, run));
      return made;
    },
  };
}
