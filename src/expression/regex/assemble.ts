import type { CharacterSet } from "./characters.ts";
import { fold } from "./characters.ts";
import { regexFailure } from "./parse.ts";
import type { Anchor, Pattern } from "./pattern.ts";

export const OP = {
  match: 0,
  character: 1,
  folded: 2,
  set: 3,
  /** Go on at `a`, and at `b` if that fails. */
  split: 4,
  jump: 5,
  save: 6,
  anchor: 7,
  reference: 8,
  /** Run the part from the next instruction to its `match`, then go on at `a`. */
  look: 9,
  atomic: 10,
  /** Remember the place; `progress` fails a turn of a loop that did not move from there. */
  mark: 11,
  progress: 12,
  /** `least` to `most` characters of one set. */
  run: 13,
  /** A lookbehind's end must be where it was asked. */
  here: 14,
} as const;

export interface Instruction {
  op: number;
  a: number;
  b: number;
  set: CharacterSet | null;
  mode: "greedy" | "lazy" | "possessive" | null;
  anchor: Anchor | null;
  groups: readonly number[] | null;
  negative: boolean;
  behind: boolean;
  ignoreCase: boolean;
  least: number;
  most: number;
}

export interface Assembled {
  readonly code: readonly Instruction[];
  /** Places that hold a position: two for each group, then one for each loop. */
  readonly slots: number;
}

const MAXIMUM_CODE = 20_000;

/** A tree as instructions for the backtracking matcher. */
export function assemble(root: Pattern, groupCount: number): Assembled {
  const code: Instruction[] = [];
  let slots = 2 * (groupCount + 1);
  const emit = (op: number, rest: Partial<Instruction> = {}): Instruction => {
    if (code.length >= MAXIMUM_CODE) throw regexFailure("too big pattern");
    const instruction: Instruction = {
      op,
      a: 0,
      b: 0,
      set: null,
      mode: null,
      anchor: null,
      groups: null,
      negative: false,
      behind: false,
      ignoreCase: false,
      least: 0,
      most: 0,
      ...rest,
    };
    code.push(instruction);
    return instruction;
  };

  const add = (node: Pattern): void => {
    switch (node.kind) {
      case "empty":
        return;
      case "character":
        if (node.ignoreCase) emit(OP.folded, { a: fold(node.code) });
        else emit(OP.character, { a: node.code });
        return;
      case "set":
        emit(OP.set, { set: node.set });
        return;
      case "sequence":
        for (const item of node.items) add(item);
        return;
      case "choice": {
        const ends: Instruction[] = [];
        node.items.forEach((item, position) => {
          if (position === node.items.length - 1) {
            add(item);
            return;
          }
          const split = emit(OP.split);
          split.a = code.length;
          add(item);
          ends.push(emit(OP.jump));
          split.b = code.length;
        });
        for (const end of ends) end.a = code.length;
        return;
      }
      case "group":
        emit(OP.save, { a: 2 * node.index });
        add(node.body);
        emit(OP.save, { a: 2 * node.index + 1 });
        return;
      case "keep":
        emit(OP.save, { a: 0 });
        return;
      case "anchor":
        emit(OP.anchor, { anchor: node.at });
        return;
      case "reference":
        emit(OP.reference, { groups: node.groups, ignoreCase: node.ignoreCase });
        return;
      case "atomic": {
        const atomic = emit(OP.atomic);
        add(node.body);
        emit(OP.match);
        atomic.a = code.length;
        return;
      }
      case "look": {
        const [least, most] = node.behind ? width(node.body) : [0, 0];
        const look = emit(OP.look, { behind: node.behind, negative: node.negative, least, most });
        add(node.body);
        if (node.behind) emit(OP.here);
        emit(OP.match);
        look.a = code.length;
        return;
      }
      case "repeat":
        repeat(node);
    }
  };

  const repeat = (node: Extract<Pattern, { kind: "repeat" }>): void => {
    const { body, least, most, mode } = node;
    if (body.kind === "set" && most > 1) {
      emit(OP.run, { set: body.set, least, most, mode });
      return;
    }
    if (mode === "possessive") {
      add({ kind: "atomic", body: { ...node, mode: "greedy" } });
      return;
    }
    for (let i = 0; i < least; i++) add(body);
    const branch = (): Instruction => emit(OP.split, { mode });
    const set = (split: Instruction, inside: number, outside: number): void => {
      split.a = mode === "lazy" ? outside : inside;
      split.b = mode === "lazy" ? inside : outside;
    };
    if (most === Number.POSITIVE_INFINITY) {
      const slot = slots++;
      const start = code.length;
      const split = branch();
      const inside = code.length;
      emit(OP.mark, { a: slot });
      add(body);
      emit(OP.progress, { a: slot });
      emit(OP.jump, { a: start });
      set(split, inside, code.length);
      return;
    }
    const splits: [Instruction, number][] = [];
    for (let i = least; i < most; i++) {
      const split = branch();
      splits.push([split, code.length]);
      add(body);
    }
    for (const [split, inside] of splits) set(split, inside, code.length);
  };

  add(root);
  emit(OP.match);
  return { code, slots };
}

/** Fewest and most characters that a part can take. */
function width(node: Pattern): [least: number, most: number] {
  switch (node.kind) {
    case "character":
    case "set":
      return [1, 1];
    case "sequence": {
      let [least, most] = [0, 0];
      for (const item of node.items) {
        const [low, high] = width(item);
        least += low;
        most += high;
      }
      return [least, most];
    }
    case "choice": {
      const widths = node.items.map(width);
      return [Math.min(...widths.map(([low]) => low)), Math.max(...widths.map(([, high]) => high))];
    }
    case "repeat": {
      const [low, high] = width(node.body);
      return [low * node.least, high === 0 ? 0 : high * node.most];
    }
    case "group":
    case "atomic":
      return width(node.body);
    case "reference":
      return [0, Number.POSITIVE_INFINITY];
    default:
      return [0, 0];
  }
}
