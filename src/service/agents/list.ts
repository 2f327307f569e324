import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listAgents as query } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, nullable, Text, Time } from "../shapes.ts";

export const listAgents = defineOperation({
  name: "agent.list",
  scope: "read",
  summary: "The published agents, every version",
  method: "GET",
  path: "/agents",
  input: closed({}),
  output: closed({
    agents: Type.Array(
      closed({
        name: Text,
        version: Text,
        digest: Text,
        description: nullable(Text),
        tools: Type.Array(Text),
        published_by: Text,
        published_at: Time,
      }),
    ),
  }),
  run: ({ views, tenantId }) => ({
    agents: views.read(query, tenantId).map(({ agent, ...row }) => ({
      ...row,
      description: agent.description ?? null,
      tools: agent.tools ?? [],
      published_at: isoTime(row.published_at),
    })),
  }),
});
