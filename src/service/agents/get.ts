import { Type } from "@sinclair/typebox";
import { composedInstructions } from "../../agents/index.ts";
import { requestOf } from "../../agents/native.ts";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { findAgent, readSkill } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, nullable, Text, Time } from "../shapes.ts";

export const getAgent = defineOperation({
  name: "agent.get",
  scope: "read",
  summary: "One published agent; the highest version where none is named",
  method: "GET",
  path: "/agents/:agent",
  input: closed({ agent: Type.String({ minLength: 1, maxLength: 257 }) }),
  output: closed({
    name: Text,
    version: Text,
    digest: Text,
    published_by: Text,
    published_at: Time,
    agent: AnyObject,
    /** What a model is told of it, with the texts of its skills; a task may add to it. */
    instructions: Text,
    /** What a native call begins its request with; null where it has tools, or calls no model. */
    request: nullable(AnyObject),
  }),
  run({ views, tenantId }, input) {
    const found = views.read(findAgent, { tenantId, reference: input.agent });
    if (found === null)
      throw fail("not_found", `not found: agent ${input.agent}`, {
        hint: "`lightflow agent list` shows what is published",
      });
    const { agent } = found;
    const instructions = composedInstructions(agent, (digest) => views.read(readSkill, { tenantId, digest }));
    const isNative = (agent.tools ?? []).length === 0 && agent.model?.provider !== "none";
    return {
      ...found,
      published_at: isoTime(found.published_at),
      instructions,
      request: isNative ? requestOf(agent, instructions) : null,
    };
  },
});
