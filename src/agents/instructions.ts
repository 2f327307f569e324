import { fail } from "../base/errors.ts";
import type { Agent } from "./document.ts";

/**
 * What a model is told of an agent: its own instructions, the skill that a task names (all, where it names none), and the
 * task's.
 * @param textOf the text of a skill by its digest, or null
 * @throws Failure `not_found` for a skill that the agent has not
 */
export function composedInstructions(
  agent: Agent,
  textOf: (digest: string) => string | null,
  more: { readonly skill?: string | undefined; readonly instructions?: string | undefined } = {},
): string {
  const skills = (agent.skills ?? []).filter(({ name }) => more.skill === undefined || name === more.skill);
  if (more.skill !== undefined && skills.length === 0)
    throw fail("not_found", `the agent ${agent.name} has no skill ${more.skill}`);
  const texts = skills.map(({ name, digest }) => {
    const text = textOf(digest);
    if (text === null) throw fail("not_found", `the skill ${name} (${digest}) is missing`);
    return `# Skill: ${name}\n\n${text}`;
  });
  const own = more.instructions === undefined ? [] : [more.instructions];
  return [agent.instructions, ...texts, ...own].join("\n\n");
}
