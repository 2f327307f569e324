import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listPublications as readPublications } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, named, Text, Time } from "../shapes.ts";

export const listPublications = defineOperation({
  name: "workflow.list",
  scope: "read",
  summary: "Published documents: name, version, digest",
  method: "GET",
  path: "/publications",
  input: closed({}),
  output: closed({
    workflows: Type.Array(
      named(
        "Publication",
        closed({ namespace: Text, name: Text, version: Text, digest: Text, created_at: Time }),
      ),
    ),
  }),
  run(context) {
    return {
      workflows: context.views
        .read(readPublications, context.tenantId)
        .map(({ created_at, ...publication }) => ({ ...publication, created_at: isoTime(created_at) })),
    };
  },
});
