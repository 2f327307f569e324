import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { listHolds, placeHold, releaseHold } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Limit, RunId } from "../shapes.ts";
import { Digest } from "./known.ts";
import { Hold, holdView, Reason } from "./view.ts";

const HoldId = Type.String({
  pattern: "^[0-9a-f-]{36}$",
  description: "the id of a hold, as `lightflow artifact holds` shows it",
});

export const holdArtifact = defineOperation({
  name: "artifact.hold",
  scope: "admin",
  summary: "Keep an artifact, or all of a run, until the hold is released: nothing removes it before",
  method: "POST",
  path: "/admin/holds",
  input: closed({ sha256: Type.Optional(Digest), run_id: Type.Optional(RunId), reason: Reason }),
  output: Hold,
  async run(context, input) {
    if ((input.sha256 === undefined) === (input.run_id === undefined))
      throw fail("invalid_request", "a hold names an artifact or a run");
    return holdView(
      await context.records.write(placeHold, {
        id: newId(),
        tenantId: context.tenantId,
        sha256: input.sha256 ?? null,
        runId: input.run_id ?? null,
        reason: input.reason,
        actor: context.principal.subject,
        now: context.clock.wall(),
      }),
    );
  },
});

export const releaseArtifact = defineOperation({
  name: "artifact.release",
  scope: "admin",
  summary: "End a legal hold; what policy keeps no longer then goes",
  method: "POST",
  path: "/admin/holds/:hold_id/release",
  input: closed({ hold_id: HoldId, reason: Reason }),
  output: Hold,
  async run(context, input) {
    return holdView(
      await context.records.write(releaseHold, {
        tenantId: context.tenantId,
        id: input.hold_id,
        reason: input.reason,
        actor: context.principal.subject,
        now: context.clock.wall(),
      }),
    );
  },
});

export const listLegalHolds = defineOperation({
  name: "artifact.holds",
  scope: "admin",
  summary: "Legal holds, newest first: who placed them, on what, why and when",
  method: "GET",
  path: "/admin/holds",
  input: closed({ all: Type.Optional(Type.Boolean()), limit: Limit }),
  output: closed({ holds: Type.Array(Hold) }),
  run: (context, input) => ({
    holds: context.views
      .read(listHolds, { tenantId: context.tenantId, all: input.all === true, limit: input.limit ?? 100 })
      .map(holdView),
  }),
});
