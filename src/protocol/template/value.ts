import { linearPattern } from "./linear-pattern.ts";
import type { TemplateSlot } from "./schema.ts";

/** What no argument may hold, fixed or given; null when there is nothing. */
export function literalProblem(text: string): string | null {
  if (/[\0\r\n]/.test(text)) return "holds a NUL or a line break";
  const shell = /\$\(|`|;|&&|\|\||[<>|]/.exec(text);
  if (shell !== null) return `holds ${JSON.stringify(shell[0])}`;
  if (text.includes("${")) return "holds an expression that was not evaluated";
  if (/(?:saas|runner)-secret:\/\//.test(text)) return "refers to a secret";
  return null;
}

/** What stands against a value for a slot, or null. */
export function valueProblem(slot: TemplateSlot, value: string): string | null {
  const maximum = slot.maximumBytes ?? 1024;
  if (Buffer.byteLength(value) > maximum) return `is longer than ${maximum} bytes`;
  if (slot.allowedValues !== undefined) {
    if (!slot.allowedValues.includes(value)) return `is not one of ${slot.allowedValues.join(", ")}`;
    return null;
  }
  const problem = literalProblem(value);
  if (problem !== null) return problem;
  if (value.startsWith("-") && slot.leadingDash !== true) return "begins with -, as an option does";
  if (slot.pattern !== undefined && !patternOf(slot.pattern).matches(value)) {
    return `does not match ${slot.pattern}`;
  }
  return null;
}

/** Compiled patterns; a template is used many times. */
const patterns = new Map<string, ReturnType<typeof linearPattern>>();

function patternOf(source: string): ReturnType<typeof linearPattern> {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    pattern = linearPattern(source);
    if (patterns.size >= 256) patterns.clear();
    patterns.set(source, pattern);
  }
  return pattern;
}
