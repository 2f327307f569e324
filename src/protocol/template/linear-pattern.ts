import { fail } from "../../base/errors.ts";
import { parsePattern } from "../../expression/regex/parse.ts";
import type { Pattern } from "../../expression/regex/pattern.ts";
import { Raised } from "../../expression/values/failure.ts";

/**
 * A pattern for the values of a command's slot, matched against the whole value in time that grows with the product of
 * both lengths, whatever either holds: all ways through the pattern are followed at once, and none is tried again.
 */
export interface LinearPattern {
  matches(value: string): boolean;
}

/** States of one pattern: a repetition with a large count is that many copies. */
const MAXIMUM_STATES = 1000;

interface State {
  /** Null for a state that is left without reading. */
  readonly reads: ((code: number) => boolean) | null;
  readonly next: number[];
}

const refused = (why: string) =>
  fail("template_denied", `the pattern ${why}`, {
    hint: "literals, character classes, groups, alternatives and repetitions are what a slot's pattern may hold",
  });

/** @throws Failure `template_denied` for what is no regular language, or too large */
export function linearPattern(source: string): LinearPattern {
  const states: State[] = [];
  const add = (reads: State["reads"], next: number[]): number => {
    if (states.length >= MAXIMUM_STATES) throw refused(`needs more than ${MAXIMUM_STATES} states`);
    return states.push({ reads, next }) - 1;
  };

  /** The state from which `node` and then `then` is read. Built from the end, so that every successor exists. */
  const build = (node: Pattern, then: number): number => {
    switch (node.kind) {
      case "empty":
        return then;
      case "character":
        if (node.ignoreCase) throw refused("changes case");
        return add((code) => code === node.code, [then]);
      case "set":
        return add((code) => node.set.has(code), [then]);
      case "sequence":
        return node.items.reduceRight((after, item) => build(item, after), then);
      case "choice":
        return add(
          null,
          node.items.map((item) => build(item, then)),
        );
      case "group":
        return build(node.body, then);
      case "repeat":
        return repeat(node, then);
      case "anchor":
        // The whole value is matched anyway; anchors at its ends say the same once more.
        throw refused("holds an anchor that is not at its own beginning or end");
      default:
        throw refused(`holds ${node.kind === "look" ? "a look-around" : `a ${node.kind}`}`);
    }
  };
  const repeat = (node: Extract<Pattern, { kind: "repeat" }>, then: number): number => {
    if (node.mode === "possessive") throw refused("holds a possessive repetition");
    let after = then;
    if (node.most === Number.POSITIVE_INFINITY) {
      const loop = add(null, [then]);
      states[loop]!.next.unshift(build(node.body, loop));
      after = loop;
    } else {
      for (let count = node.least; count < node.most; count++)
        after = add(null, [build(node.body, after), then]);
    }
    for (let count = 0; count < node.least; count++) after = build(node.body, after);
    return after;
  };

  let root: Pattern;
  try {
    root = parsePattern(source, { ignoreCase: false, extended: false, dotAll: false, lines: false }).root;
  } catch (error) {
    if (error instanceof Raised) throw refused(`is not valid: ${String(error.value)}`);
    throw error;
  }
  const end = add(null, []);
  const start = build(withoutEnds(root), end);
  return { matches: (value) => run(states, start, end, value) };
}

/** `^` or `\A` in front and `$` or `\z` behind are what holds for every slot. */
function withoutEnds(root: Pattern): Pattern {
  if (root.kind === "anchor") return withoutEnds({ kind: "sequence", items: [root] });
  if (root.kind !== "sequence") return root;
  const items = [...root.items];
  const [first] = items;
  if (first?.kind === "anchor" && (first.at === "text-start" || first.at === "line-start")) items.shift();
  const last = items.at(-1);
  const ends = ["text-end", "text-end-or-newline", "line-end"];
  if (last?.kind === "anchor" && ends.includes(last.at)) items.pop();
  return { kind: "sequence", items };
}

function run(states: readonly State[], start: number, end: number, value: string): boolean {
  /** The reading states that are reached from some without reading, each once. */
  const closure = (from: readonly number[]): { reading: number[]; ended: boolean } => {
    const seen = new Uint8Array(states.length);
    const open = [...from];
    const reading: number[] = [];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (seen[at] === 1) continue;
      seen[at] = 1;
      const state = states[at]!;
      if (state.reads === null) open.push(...state.next);
      else reading.push(at);
    }
    return { reading, ended: seen[end] === 1 };
  };
  let current = closure([start]);
  for (const character of value) {
    const code = character.codePointAt(0)!;
    const next = current.reading.filter((at) => states[at]!.reads!(code)).flatMap((at) => states[at]!.next);
    if (next.length === 0) return false;
    current = closure(next);
  }
  return current.ended;
}
