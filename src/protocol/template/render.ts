import { fail } from "../../base/errors.ts";
import type { CommandTemplate } from "./schema.ts";
import { valueProblem } from "./value.ts";

/** What a task says in its `run.shell`, with its expressions evaluated. */
export interface CommandCall {
  readonly command: string;
  /** One value for each slot, in the order of the slots; those at the end may be left out when they are optional. */
  readonly arguments: readonly (string | undefined)[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

export interface RenderedCommand {
  readonly command: string;
  readonly arguments: string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly directory?: string;
}

/**
 * The program and its argument vector, from an approved template and the values of a task. What the document writes as
 * its command only describes: it must be what the template declares.
 * @throws Failure `template_denied` that names the slot
 */
export function renderTemplate(template: CommandTemplate, call: CommandCall): RenderedCommand {
  const deny = (why: string) => fail("template_denied", `the template ${template.id} ${why}`);
  const shown = template.command ?? template.id;
  if (call.command !== shown) {
    throw deny(`is for the command ${JSON.stringify(shown)}, not ${JSON.stringify(call.command)}`);
  }
  const slots = template.slots ?? [];
  if (call.arguments.length > slots.length) {
    throw deny(`takes ${slots.length} arguments, not ${call.arguments.length}`);
  }
  const given = new Map<number, string>();
  let left: string | undefined;
  for (const [position, slot] of slots.entries()) {
    const value = call.arguments[position];
    if (value === undefined) {
      if (slot.required !== false) throw deny(`needs a value for ${slot.name}`);
      left ??= slot.name;
      continue;
    }
    // It would stand in the other one's place, whose rules it was not held to.
    if (left !== undefined) throw deny(`needs a value for ${left} where ${slot.name} has one`);
    const problem = valueProblem(slot, value);
    if (problem !== null) throw deny(`refuses the value of ${slot.name}: it ${problem}`);
    given.set(slot.argumentIndex, value);
  }
  const places = new Set(slots.map(({ argumentIndex }) => argumentIndex));
  const fixed = [...(template.fixedArguments ?? [])];
  const vector: string[] = [];
  for (let index = 0; index < places.size + (template.fixedArguments ?? []).length; index++) {
    if (!places.has(index)) vector.push(fixed.shift()!);
    else if (given.has(index)) vector.push(given.get(index)!);
  }
  const names = template.environmentNames ?? [];
  for (const name of Object.keys(call.environment)) {
    if (!names.includes(name)) throw deny(`does not take the environment variable ${name}`);
  }
  if (call.stdin !== undefined && template.stdin !== true) throw deny("takes no standard input");
  return {
    command: template.executable,
    arguments: vector,
    environment: call.environment,
    ...(call.stdin === undefined ? {} : { stdin: call.stdin }),
    ...(template.workingDirectory === undefined || template.workingDirectory === "."
      ? {}
      : { directory: template.workingDirectory }),
  };
}
