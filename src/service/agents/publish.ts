import { Type } from "@sinclair/typebox";
import { readAgent } from "../../agents/index.ts";
import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import { schemaProblem } from "../../engine/index.ts";
import { publishAgent as publish } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";

export const publishAgent = defineOperation({
  name: "agent.publish",
  scope: "admin",
  summary: "Publish an agent under its name and version, with its skills; a version never changes",
  method: "POST",
  path: "/admin/agents",
  input: closed({ agent: Type.Record(Type.String(), Type.Unknown()) }),
  output: closed({ name: Text, version: Text, digest: Text, created: Type.Boolean() }),
  async run(context, input) {
    const read = readAgent(input.agent);
    const { outputSchema } = read.agent;
    const problem = outputSchema === undefined ? null : schemaProblem(outputSchema as Json);
    if (problem !== null) throw fail("invalid_request", `/outputSchema: ${problem}`);
    const created = await context.records.write(publish, {
      ...read,
      tenantId: context.tenantId,
      actor: context.principal.subject,
      now: context.clock.wall(),
    });
    return { name: read.agent.name, version: read.agent.version, digest: read.digest, created };
  },
});
