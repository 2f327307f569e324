import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { findAgent } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, Text, Time } from "../shapes.ts";

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
  }),
  run({ views, tenantId }, input) {
    const found = views.read(findAgent, { tenantId, reference: input.agent });
    if (found === null)
      throw fail("not_found", `not found: agent ${input.agent}`, {
        hint: "`lightflow agent list` shows what is published",
      });
    return { ...found, published_at: isoTime(found.published_at) };
  },
});
