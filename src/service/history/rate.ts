import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { findRun, listRatings, planOf, type Rating, rateStep } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { stepsOfRun } from "../runs/steps.ts";
import { closed, named, nullable, RunId, Text, Time } from "../shapes.ts";

const RatingShape = named(
  "Rating",
  closed({ step_id: Text, score: Type.Number(), note: nullable(Text), actor: Text, created_at: Time }),
);

const shown = (rating: Rating) => ({ ...rating, created_at: isoTime(rating.created_at) });

export const rateRun = defineOperation({
  name: "run.rate",
  scope: "run",
  summary: "Keep a judgement of what a step gave, with the run",
  method: "POST",
  path: "/runs/:run_id/steps/:step_id/rate",
  input: closed({
    run_id: RunId,
    step_id: Type.String({ minLength: 1, maxLength: 256 }),
    score: Type.Number({ minimum: -1_000_000, maximum: 1_000_000 }),
    note: Type.Optional(Type.String({ maxLength: 4096 })),
  }),
  output: RatingShape,
  async run(context, input) {
    const row = context.views.read(findRun, { tenantId: context.tenantId, runId: input.run_id });
    const plan = context.views.read(planOf, row);
    const steps = (plan?.steps ?? stepsOfRun(context, row)).map(({ step_id }) => step_id);
    if (!steps.includes(input.step_id)) {
      throw fail("not_found", `not found: step ${input.step_id} of run ${row.run_id}`, {
        hint: `its steps: ${[...new Set(steps)].join(", ") || "none"}`,
      });
    }
    const rating: Rating = {
      step_id: input.step_id,
      score: input.score,
      note: input.note ?? null,
      actor: context.principal.subject,
      created_at: context.clock.wall(),
    };
    await context.records.write(rateStep, { ...rating, instanceId: row.id });
    return shown(rating);
  },
});

export const runRatings = defineOperation({
  name: "run.ratings",
  scope: "read",
  summary: "The judgements that are kept with a run, oldest first",
  method: "GET",
  path: "/runs/:run_id/ratings",
  input: closed({ run_id: RunId }),
  output: closed({ ratings: Type.Array(RatingShape) }),
  run: (context, input) => ({ ratings: ratingsOf(context, input.run_id) }),
});

export function ratingsOf(context: ServiceContext, runId: string) {
  const row = context.views.read(findRun, { tenantId: context.tenantId, runId });
  return context.views.read(listRatings, { instanceId: row.id }).map(shown);
}
