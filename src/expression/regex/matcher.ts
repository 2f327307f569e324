import { exhausted, spend, step } from "../meter.ts";
import type { Assembled } from "./assemble.ts";
import { OP } from "./assemble.ts";
import { fold, isWord } from "./characters.ts";
import type { Anchor } from "./pattern.ts";

/** Entries that wait to be tried; three numbers each. Beyond it the run is out of budget. */
const MAXIMUM_STACK = 6_000_000;

// The kinds of a stack entry: what to do when everything behind it has failed.
const RETRY = 0; // go on at instruction a, position b
const RESTORE = 1; // slot a was b
const SHRINK = 2; // a greedy run at instruction a may end earlier: position b, never before c
const GROW = 3; // a lazy run at instruction a may take one more from position b; c characters may follow

export interface MatchOptions {
  readonly longest: boolean;
  readonly notEmpty: boolean;
}

/**
 * A backtracking matcher over code points with its own stack, so that neither long texts nor bad patterns reach the
 * call stack; every instruction is a step of the budget.
 */
export function matchAt(
  program: Assembled,
  text: ArrayLike<number>,
  start: number,
  options: MatchOptions,
): Int32Array | null {
  const { code } = program;
  const slots = new Int32Array(program.slots).fill(-1);
  const end = text.length;
  let best: Int32Array | null = null;

  /** Run from an instruction to its `match`; the position there, or -1. `here` is where a lookbehind has to end. */
  const run = (from: number, position: number, here: number, whole: boolean): number => {
    const stack: number[] = [];
    let pc = from;
    let at = position;
    const push = (kind: number, a: number, b: number, c: number): void => {
      if (stack.length > MAXIMUM_STACK) throw exhausted("steps");
      stack.push(kind, a, b, c);
    };
    const save = (slot: number, value: number): void => {
      push(RESTORE, slot, slots[slot]!, 0);
      slots[slot] = value;
    };
    for (;;) {
      step();
      let failed = false;
      const now = code[pc]!;
      switch (now.op) {
        case OP.match:
          if (!whole) return at;
          if (options.notEmpty && at === slots[0]) failed = true;
          else if (options.longest) {
            if (best === null || at > best[1]!) {
              best = slots.slice();
              best[1] = at;
            }
            failed = true;
          } else return at;
          break;
        case OP.character:
          if (at < end && text[at] === now.a) {
            at++;
            pc++;
          } else failed = true;
          break;
        case OP.folded:
          if (at < end && fold(text[at]!) === now.a) {
            at++;
            pc++;
          } else failed = true;
          break;
        case OP.set:
          if (at < end && now.set!.has(text[at]!)) {
            at++;
            pc++;
          } else failed = true;
          break;
        case OP.split:
          push(RETRY, now.b, at, 0);
          pc = now.a;
          break;
        case OP.jump:
          pc = now.a;
          break;
        case OP.save:
          save(now.a, at);
          pc++;
          break;
        case OP.mark:
          save(now.a, at);
          pc++;
          break;
        case OP.progress:
          // A turn that took nothing would go round for ever: leave the loop, whose jump is the next instruction.
          pc += slots[now.a] === at ? 2 : 1;
          break;
        case OP.anchor:
          if (isAt(now.anchor!, text, at, start)) pc++;
          else failed = true;
          break;
        case OP.here:
          if (at === here) pc++;
          else failed = true;
          break;
        case OP.run: {
          const least = now.mode === "lazy" ? now.least : now.most;
          let taken = 0;
          while (taken < least && at < end && now.set!.has(text[at]!)) {
            at++;
            taken++;
          }
          spend(taken);
          if (taken < now.least) {
            failed = true;
            break;
          }
          if (now.mode === "lazy") push(GROW, pc, at, now.most - taken);
          else if (now.mode === "greedy" && taken > now.least) push(SHRINK, pc, at, at - taken + now.least);
          pc++;
          break;
        }
        case OP.reference: {
          const next = afterReference(now.groups!, now.ignoreCase, at);
          if (next === -1) failed = true;
          else {
            at = next;
            pc++;
          }
          break;
        }
        case OP.atomic: {
          const before = slots.slice();
          const reached = run(pc + 1, at, here, false);
          if (reached === -1) {
            slots.set(before);
            failed = true;
            break;
          }
          for (let slot = 0; slot < before.length; slot++) {
            if (slots[slot] !== before[slot]) push(RESTORE, slot, before[slot]!, 0);
          }
          at = reached;
          pc = now.a;
          break;
        }
        case OP.look: {
          const before = slots.slice();
          let found = false;
          if (!now.behind) found = run(pc + 1, at, here, false) !== -1;
          else {
            const first = Math.max(0, at - now.most);
            for (let from = at - now.least; from >= first && !found; from--) {
              found = run(pc + 1, from, at, false) !== -1;
            }
          }
          if (found === now.negative) {
            slots.set(before);
            failed = true;
            break;
          }
          if (now.negative) slots.set(before);
          for (let slot = 0; slot < before.length; slot++) {
            if (slots[slot] !== before[slot]) push(RESTORE, slot, before[slot]!, 0);
          }
          pc = now.a;
          break;
        }
      }
      if (!failed) continue;
      // Back to the last choice.
      for (;;) {
        if (stack.length === 0) return -1;
        const c = stack.pop()!;
        const b = stack.pop()!;
        const a = stack.pop()!;
        const kind = stack.pop()!;
        step();
        if (kind === RESTORE) {
          slots[a] = b;
          continue;
        }
        if (kind === RETRY) {
          pc = a;
          at = b;
          break;
        }
        if (kind === SHRINK) {
          if (b - 1 > c) stack.push(SHRINK, a, b - 1, c);
          pc = a + 1;
          at = b - 1;
          break;
        }
        if (c > 0 && b < end && code[a]!.set!.has(text[b]!)) {
          stack.push(GROW, a, b + 1, c - 1);
          pc = a + 1;
          at = b + 1;
          break;
        }
      }
    }
  };

  const afterReference = (groups: readonly number[], ignoreCase: boolean, at: number): number => {
    for (let i = groups.length - 1; i >= 0; i--) {
      const from = slots[2 * groups[i]!]!;
      const to = slots[2 * groups[i]! + 1]!;
      if (from === -1 || to === -1) continue;
      const length = to - from;
      spend(Math.max(0, length));
      if (at + length > end) return -1;
      for (let k = 0; k < length; k++) {
        const a = text[from + k]!;
        const b = text[at + k]!;
        if (a !== b && !(ignoreCase && fold(a) === fold(b))) return -1;
      }
      return at + length;
    }
    return -1;
  };

  slots[0] = start;
  const reached = run(0, start, -1, true);
  if (best !== null) return best;
  if (reached === -1) return null;
  slots[1] = reached;
  return slots;
}

function isAt(anchor: Anchor, text: ArrayLike<number>, at: number, start: number): boolean {
  const end = text.length;
  switch (anchor) {
    case "text-start":
      return at === 0;
    case "text-end":
      return at === end;
    case "text-end-or-newline":
      return at === end || (at === end - 1 && text[at] === 10);
    case "line-start":
      return at === 0 || (text[at - 1] === 10 && at < end);
    case "line-end":
      return at === end || text[at] === 10;
    case "search-start":
      return at === start;
    default: {
      const before = at > 0 && isWord(text[at - 1]!);
      const after = at < end && isWord(text[at]!);
      return (before !== after) === (anchor === "word");
    }
  }
}
