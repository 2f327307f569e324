import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { listReferences } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Limit, nullable, RunId, Time } from "../shapes.ts";
import { Kind, Reference, referenceView } from "./view.ts";

const PAGE = 100;

export const listArtifactReferences = defineOperation({
  name: "artifact.list",
  scope: "read",
  summary: "References to artifacts, newest first: what runs handed over and wrote, and what was handed in",
  method: "GET",
  path: "/artifacts",
  input: closed({
    run_id: Type.Optional(RunId),
    step_id: Type.Optional(Type.String({ maxLength: 256 })),
    kind: Type.Optional(Kind),
    limit: Limit,
    /** Only what was made before this time. */
    before: Type.Optional(Time),
  }),
  output: closed({ artifacts: Type.Array(Reference), before: nullable(Time) }),
  run(context, input) {
    const limit = input.limit ?? PAGE;
    const rows = context.views.read(listReferences, {
      tenantId: context.tenantId,
      runId: input.run_id ?? null,
      stepId: input.step_id ?? null,
      kind: input.kind ?? null,
      before: input.before === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(input.before),
      limit,
    });
    return {
      artifacts: rows.map(referenceView),
      before: rows.length < limit ? null : isoTime(rows.at(-1)!.created_at),
    };
  },
});
