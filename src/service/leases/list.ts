import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { viewLeases } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, Limit, named, nullable, Text, Time } from "../shapes.ts";

const LiveLease = named(
  "LiveLease",
  closed({
    lease_id: Text,
    run_id: Text,
    step_id: Text,
    attempt: Integer,
    fence: Integer,
    runner_id: Text,
    state: Text,
    sandbox: nullable(Text),
    cancel_reason: nullable(Text),
    issued_at: Time,
    started_at: nullable(Time),
    expires_at: Time,
    deadline_at: Time,
    remaining_ms: Integer,
  }),
);

export const listLeases = defineOperation({
  name: "leases.list",
  scope: "admin",
  summary: "Leases that are out, the next to expire first",
  method: "GET",
  path: "/admin/leases",
  input: closed({ limit: Limit }),
  output: closed({ leases: Type.Array(LiveLease) }),
  run(context, input) {
    const now = context.clock.wall();
    return {
      leases: context.views
        .read(viewLeases, { tenantId: context.principal.tenantId, limit: input.limit ?? 100 })
        .map((lease) => ({
          ...lease,
          issued_at: isoTime(lease.issued_at),
          started_at: lease.started_at === null ? null : isoTime(lease.started_at),
          expires_at: isoTime(lease.expires_at),
          deadline_at: isoTime(lease.deadline_at),
          remaining_ms: Math.max(0, lease.expires_at - now),
        })),
    };
  },
});
