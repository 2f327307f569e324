import { fail } from "../../base/errors.ts";
import { linearPattern } from "../../protocol/template/linear-pattern.ts";
import type { CommandTemplate } from "../../protocol/template/schema.ts";
import { literalProblem } from "../../protocol/template/value.ts";
import { coversPath } from "../cover.ts";

/** Programs whose argument is a program text: with one of them a slot would be a shell. Never the program of a template. */
const SHELLS =
  /^(?:(?:ba|da|z|k|c|tc|fi|a|mk|pwsh|power)?sh|pwsh|busybox|toybox|env|xargs|eval|su|sudo|doas|ssh|script|expect)$/;
/** Programs that run another one or a text that they are given: only when the service policy names them. */
const INTERPRETERS =
  /^(?:python[\d.]*|pypy[\d.]*|node|nodejs|bun|deno|perl[\d.]*|ruby[\d.]*|php[\d.]*|lua[\d.]*|tclsh[\d.]*|awk|gawk|mawk|nawk|sed|find|nice|nohup|timeout|setsid|stdbuf|strace|ltrace|gdb|watch|parallel|flock|chroot|unshare|nsenter|docker|podman|kubectl|make|vi|vim|emacs|osascript)$/;

const SECRET_NAME = /SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY/i;

const denied = (template: { readonly id: string }, why: string, hint?: string) =>
  fail("template_denied", `the template ${template.id} ${why}`, hint === undefined ? {} : { hint });

/**
 * Refuse what no argument check could make safe.
 * @param executables what the service policy lists, or undefined when it says nothing
 * @throws Failure `template_denied`
 */
export function checkTemplate(template: CommandTemplate, executables: readonly string[] | undefined): void {
  checkExecutable(template, executables);
  const fixed = template.fixedArguments ?? [];
  const slots = template.slots ?? [];
  for (const text of fixed) {
    const problem = literalProblem(text);
    if (problem !== null) throw denied(template, `has a fixed argument that ${problem}`);
  }
  const names = new Set<string>();
  const places = new Set<number>();
  for (const slot of slots) {
    if (names.has(slot.name)) throw denied(template, `has the slot ${slot.name} twice`);
    if (places.has(slot.argumentIndex)) throw denied(template, `has two slots at ${slot.argumentIndex}`);
    if (slot.argumentIndex >= fixed.length + slots.length) {
      throw denied(template, `leaves a gap before the slot ${slot.name} at ${slot.argumentIndex}`);
    }
    names.add(slot.name);
    places.add(slot.argumentIndex);
    if (slot.pattern !== undefined) linearPattern(slot.pattern);
    for (const value of slot.allowedValues ?? []) {
      if (/[\0\r\n]/.test(value)) throw denied(template, `allows a value of ${slot.name} with a line break`);
    }
  }
  const optional = slots.findIndex((slot) => slot.required === false);
  if (optional !== -1 && slots.slice(optional).some((slot) => slot.required !== false)) {
    throw denied(
      template,
      "has a required slot behind an optional one",
      "values are given in the order of the slots",
    );
  }
  for (const name of template.environmentNames ?? []) {
    if (SECRET_NAME.test(name))
      throw denied(template, `takes ${name}, which looks like a secret, from a task`);
  }
}

function checkExecutable(template: CommandTemplate, executables: readonly string[] | undefined): void {
  const { executable } = template;
  if (/\s/.test(executable)) throw denied(template, "has white space in the path of its program");
  const base = executable.slice(executable.lastIndexOf("/") + 1);
  if (SHELLS.test(base)) {
    throw denied(template, `runs ${base}, which reads its arguments as a program`, "name the program itself");
  }
  if (executables === undefined) {
    if (!INTERPRETERS.test(base)) return;
    throw denied(
      template,
      `runs ${base}, which can run any other program`,
      "list it under allow.executables of the service policy",
    );
  }
  if (!executables.some((path) => coversPath(path, executable))) {
    throw denied(template, `runs ${executable}, which the service policy does not list`);
  }
  if (INTERPRETERS.test(base) && !executables.includes(executable)) {
    throw denied(
      template,
      `runs ${base}, which can run any other program`,
      "the service policy must name this very file",
    );
  }
}
