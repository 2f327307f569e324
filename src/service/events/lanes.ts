import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import { validate } from "../../protocol/validate.ts";
import type { Principal } from "../principal.ts";
import { closed, RunId } from "../shapes.ts";

/** What an event's type begins with that starts a workflow; the rest is its lane. */
const START = "workflow.start.";
const Name = Type.String({ minLength: 1, maxLength: 128 });

/** What an event that starts a workflow carries. */
const StartData = closed({
  workflow: closed({ namespace: Name, name: Name, version: Type.Optional(Name) }),
  input: Type.Optional(Type.Unknown()),
  run_id: Type.Optional(RunId),
});

/**
 * The lane of an event, or null where it starts nothing: `main`, `release`, `deployment`, `tenant.<id>`.
 * @throws Failure `invalid_request` for a lane that there is not
 */
export function laneOf(type: string): string | null {
  if (!type.startsWith(START)) return null;
  const lane = type.slice(START.length);
  if (["main", "release", "deployment"].includes(lane) || /^tenant\.[A-Za-z0-9._-]{1,128}$/.test(lane))
    return lane;
  throw fail("invalid_request", `/type: there is no lane ${lane}`, {
    hint: "workflow.start.main, .release, .deployment or .tenant.<id>",
  });
}

/**
 * Whether a caller may put start events into a lane. `main` needs no more than starting a run does; `release` and `deployment`
 * are for administrators and whoever has the role `lane:<name>`; a tenant's lane is that tenant's alone.
 * @throws Failure `forbidden`, `tenant_mismatch`
 */
export function checkLane(principal: Principal, lane: string): void {
  if (lane.startsWith("tenant.")) {
    if (lane !== `tenant.${principal.tenantId}`)
      throw fail("tenant_mismatch", `the lane ${lane} is another tenant's`);
    return;
  }
  if (lane === "main") return;
  const may = [...principal.roles, ...principal.scopes].some(
    (each) => each === "admin" || each === `lane:${lane}`,
  );
  if (!may) throw fail("forbidden", `the lane ${lane} needs the role lane:${lane}`);
}

/** @throws Failure `invalid_request` where a start event does not say what to start */
export function checkStartData(data: unknown): void {
  validate(StartData, data ?? null);
}
