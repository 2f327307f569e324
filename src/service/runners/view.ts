import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { Name } from "../../protocol/common.ts";
import type { RunnerDetail, RunnerView } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { AnyObject, closed, Integer, named, nullable, Text, Time } from "../shapes.ts";
import { Tenant, tenantOf } from "../tokens/view.ts";

const members = {
  tenant_id: Text,
  runner_id: Text,
  host_id: Text,
  /** `approved` or `quarantined`. */
  state: Text,
  reason: nullable(Text),
  enrolled: Type.Boolean(),
  session: nullable(
    closed({
      id: Text,
      generation: Integer,
      state: Text,
      reason: nullable(Text),
      healthy: Type.Boolean(),
      last_seen_at: Time,
      registration: AnyObject,
      effective: AnyObject,
      active_leases: Integer,
    }),
  ),
};

export const Runner = named("Runner", closed(members));

export const RunnerDetails = named(
  "RunnerDetails",
  closed({
    ...members,
    admission: AnyObject,
    public_key: nullable(Text),
    pinned: nullable(AnyObject),
    reported: nullable(AnyObject),
    approved_snapshot: nullable(AnyObject),
    seen_snapshot: nullable(AnyObject),
    created_at: Time,
  }),
);

export const runnerView = ({ session, ...runner }: RunnerView) => ({
  ...runner,
  session: session === null ? null : { ...session, last_seen_at: isoTime(session.last_seen_at) },
});

export const runnerDetails = (runner: RunnerDetail) => ({
  ...runner,
  ...runnerView(runner),
  created_at: isoTime(runner.created_at),
});

/** Which runner an operation is about; another tenant's only from a caller on this host. */
export const runnerInput = { runner_id: Name, tenant: Type.Optional(Tenant) };

/** Who does what to which runner, for the store. */
export const operateOn = (context: ServiceContext, input: { runner_id: string; tenant?: string }) => ({
  tenantId: tenantOf(context, input.tenant),
  runnerId: input.runner_id,
  actor: context.principal.subject,
  now: context.clock.wall(),
});
