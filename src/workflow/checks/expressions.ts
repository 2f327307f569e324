import { Kind } from "@sinclair/typebox";
import { Failure } from "../../base/errors.ts";
import { isObject } from "../../base/json.ts";
import { nearest } from "../../base/nearest.ts";
import { joinPointer } from "../../base/pointer.ts";
import { compileExpression, isExpression, partialExpression } from "../../expression/index.ts";
import type { Diagnostic } from "../diagnostic.ts";
import { isTask } from "../kind.ts";
import type { Mode, WorkflowDocument } from "../schema/index.ts";
import { documentPlaces, type ScopedPlace } from "../scopes.ts";
import { walkTasks } from "../walk.ts";
import { didYouMean, error } from "./finding.ts";

/**
 * Every expression compiles, uses only the arguments its place has, and only secrets that the document declares.
 * `${` in the middle of a text is refused: nobody defines what it means there, and the engine would not evaluate it.
 */
export function* checkExpressions(document: WorkflowDocument, mode: Mode): Generator<Diagnostic> {
  const evaluation = document.evaluate?.mode ?? "strict";
  const secrets = document.use?.secrets ?? [];
  for (const place of documentPlaces(document, mode))
    for (const { text, pointer, bare, partial } of textsOf(place)) {
      if (bare || isExpression(text)) {
        yield* compiled(text, pointer, bare, evaluation, place.declared);
        yield* declaredSecrets(text, pointer, secrets);
      } else if (!partial && partialExpression(text))
        yield error(
          "expression_partial",
          pointer,
          "`${` inside a longer text is not evaluated",
          'make the whole text one expression: ${ "… \\(.name) …" }',
        );
    }
  for (const { text, pointer, bare } of assertedPaths(document))
    yield* compiled(text, pointer, bare, "strict", []);
}

/** The keys of `assert.json`: paths into the value, which no argument is there to help with. */
function* assertedPaths(document: WorkflowDocument): Generator<Text> {
  for (const { task, pointer } of walkTasks(document)) {
    if (!isTask(task, "assert")) continue;
    const listed = Array.isArray(task.assert);
    for (const [index, one] of [task.assert].flat().entries())
      for (const path of "json" in one ? Object.keys(one.json ?? {}) : []) {
        const at = listed ? `${pointer}/assert/${index}/json` : `${pointer}/assert/json`;
        yield { text: path, pointer: joinPointer(at, path), bare: true, partial: false };
      }
  }
}

interface Text {
  readonly text: string;
  readonly pointer: string;
  /** The place's type is an expression: `${ }` may be left out. */
  readonly bare: boolean;
  /** A `${` that is not ours may stand in it. */
  readonly partial: boolean;
}

function* textsOf({ schema, value, pointer }: ScopedPlace): Generator<Text> {
  const rule: unknown = schema["x-expression"];
  if (rule === "none" || schema[Kind] === "Literal") return;
  if (schema[Kind] === "Unknown") yield* templateTexts(value, pointer);
  else if (typeof value === "string" && schema[Kind] === "String")
    yield { text: value, pointer, bare: rule === "bare", partial: rule === "whole" };
}

/** The texts of free data, at any depth. */
function* templateTexts(value: unknown, pointer: string): Generator<Text> {
  if (typeof value === "string") yield { text: value, pointer, bare: false, partial: false };
  else if (Array.isArray(value))
    for (const [index, item] of value.entries()) yield* templateTexts(item, joinPointer(pointer, index));
  else if (isObject(value))
    for (const [key, member] of Object.entries(value))
      yield* templateTexts(member, joinPointer(pointer, key));
}

function* compiled(
  text: string,
  pointer: string,
  bare: boolean,
  mode: "strict" | "loose",
  declared: readonly string[],
): Generator<Diagnostic> {
  try {
    compileExpression(text, { bare, mode, declared });
  } catch (thrown) {
    // Constant parts are computed while they are compiled, and may run out of budget then.
    if (!(thrown instanceof Failure) || !thrown.code.startsWith("expression_")) throw thrown;
    const secret = /\$secrets\b/.test(text) && !declared.includes("secrets");
    const hint = secret ? "secrets stay out of outputs, the context, events and errors" : thrown.hint;
    yield error("expression_invalid", pointer, thrown.message, hint);
  }
}

const SECRET = /\$secrets\s*(?:\.\s*([A-Za-z_]\w*)|\.?\s*\[?\s*"([^"\\]+)")/g;

function* declaredSecrets(text: string, pointer: string, secrets: readonly string[]): Generator<Diagnostic> {
  for (const [, plain, quoted] of text.matchAll(SECRET)) {
    const name = plain ?? quoted!;
    if (secrets.includes(name)) continue;
    const hint = didYouMean(nearest(name, secrets)) ?? "add it to /use/secrets";
    yield error("unknown_reference", pointer, `\`${name}\` is not in use.secrets`, hint);
  }
}
