import { Type } from "@sinclair/typebox";
import { listReferences } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Limit, nullable, RunId, Text } from "../shapes.ts";
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
    /** Where the page before ended, as it says. */
    cursor: Type.Optional(Type.String({ pattern: "^[0-9]{1,16}\\.[0-9]{1,5}$" })),
  }),
  output: closed({ artifacts: Type.Array(Reference), cursor: nullable(Text) }),
  run(context, input) {
    const limit = input.limit ?? PAGE;
    const [until, skip] = (input.cursor ?? `${Number.MAX_SAFE_INTEGER}.0`).split(".").map(Number) as [
      number,
      number,
    ];
    const rows = context.views.read(listReferences, {
      tenantId: context.tenantId,
      runId: input.run_id ?? null,
      stepId: input.step_id ?? null,
      kind: input.kind ?? null,
      until,
      skip,
      limit,
    });
    const last = rows.at(-1)?.created_at;
    const same = rows.filter(({ created_at }) => created_at === last).length + (last === until ? skip : 0);
    return { artifacts: rows.map(referenceView), cursor: rows.length < limit ? null : `${last}.${same}` };
  },
});
