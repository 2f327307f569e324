import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import type { Json } from "../../base/json.ts";
import {
  type InboxEvent,
  listInboxEvents,
  listLanes as listLanesQuery,
  readInboxEvent,
  repairEvent as repairEventOperation,
} from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Limit } from "../shapes.ts";

const nullableText = Type.Union([Type.String(), Type.Null()]);
const Seq = Type.Integer({ minimum: 1 });

const shape = {
  seq: Seq,
  source: Type.String(),
  id: Type.String(),
  type: Type.String(),
  lane: nullableText,
  subject: nullableText,
  state: Type.Union(
    (["pending", "delivered", "aside", "blocked", "dropped"] as const).map((state) => Type.Literal(state)),
  ),
  tries: Type.Integer(),
  run_id: nullableText,
  diagnostic: nullableText,
  received_at: Type.String(),
};

const view = <Row extends InboxEvent>(row: Row) => ({ ...row, received_at: isoTime(row.received_at) });

export const listEvents = defineOperation({
  name: "event.list",
  scope: "admin",
  summary: "Events that came in and what became of them; the poisoned ones and those that wait for them",
  method: "GET",
  path: "/admin/events",
  input: closed({
    poisoned: Type.Optional(Type.Boolean()),
    lane: Type.Optional(Type.String({ maxLength: 256 })),
    limit: Limit,
  }),
  output: closed({ events: Type.Array(closed(shape)) }),
  run(context, input) {
    const events = context.views.read(listInboxEvents, {
      tenantId: context.tenantId,
      poisoned: input.poisoned === true,
      lane: input.lane ?? null,
      limit: input.limit ?? 100,
    });
    return { events: events.map(view) };
  },
});

export const showEvent = defineOperation({
  name: "event.show",
  scope: "admin",
  summary: "One event with its content",
  method: "GET",
  path: "/admin/events/:seq",
  input: closed({ seq: Seq }),
  output: closed({ ...shape, event: Type.Record(Type.String(), Type.Unknown()) }),
  run: (context, { seq }) => view(context.views.read(readInboxEvent, { tenantId: context.tenantId, seq })),
});

export const repairEvent = defineOperation({
  name: "event.repair",
  scope: "admin",
  summary: "Handle a poisoned event again, with other data, or give it up; those that waited for it go on",
  method: "POST",
  path: "/admin/events/:seq/repair",
  input: closed({
    seq: Seq,
    as: Type.Union([Type.Literal("retry"), Type.Literal("replace"), Type.Literal("drop")]),
    /** The event's new data, for `replace`. */
    data: Type.Optional(Type.Unknown()),
  }),
  output: closed(shape),
  async run(context, { seq, as, data }) {
    if ((as === "replace") !== (data !== undefined))
      throw fail("invalid_request", "/data: `replace` needs it, and nothing else takes it");
    const row = await context.records.write(repairEventOperation, {
      tenantId: context.tenantId,
      seq,
      as: as === "replace" ? { kind: as, data: data as Json } : { kind: as },
      actor: context.principal.subject,
      now: context.clock.wall(),
    });
    return view(row);
  },
});

export const listLanes = defineOperation({
  name: "event.lanes",
  scope: "admin",
  summary: "The lanes of start events: how far each has been worked off",
  method: "GET",
  path: "/admin/lanes",
  input: closed({}),
  output: closed({
    lanes: Type.Array(
      closed({
        lane: Type.String(),
        last: Type.Integer(),
        offset: Type.Integer(),
        pending: Type.Integer(),
        held: Type.Integer(),
      }),
    ),
  }),
  run: (context) => ({ lanes: context.views.read(listLanesQuery, context.tenantId) }),
});
