import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { fail } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { JsonObject } from "../../base/json.ts";
import { findRun, listensFor, receiveEvent } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, RunId, Text } from "../shapes.ts";

const Attribute = Type.String({ minLength: 1, maxLength: 1024 });

export const signalRun = defineOperation({
  name: "workflow.signal",
  scope: "run",
  summary: "Give an event to one run that listens for its type, and to no other",
  method: "POST",
  path: "/runs/:run_id/signal",
  status: 202,
  input: closed({
    run_id: RunId,
    type: Attribute,
    data: Type.Optional(Type.Unknown()),
    /** The same source and id again change nothing. */
    id: Type.Optional(Attribute),
    source: Type.Optional(Attribute),
    subject: Type.Optional(Attribute),
  }),
  output: closed({ run_id: Text, id: Text, source: Text, received: Type.Boolean() }),
  async run(context, { run_id, type, ...rest }) {
    const { tenantId } = context;
    const run = context.views.read(findRun, { tenantId, runId: run_id });
    if (run.finished_at !== null) throw fail("conflict", `run ${run_id} has ended: ${run.status}`);
    if (!context.views.read(listensFor, { instanceId: run.id, type }))
      throw fail("conflict", `run ${run_id} does not listen for ${type} now`, {
        hint: `lightflow run get ${run_id} shows where it is`,
      });
    const now = context.clock.wall();
    const { id = newId(), source = "/lightflow" } = rest;
    const event = { specversion: "1.0", time: isoTime(now), type, ...rest, id, source, lightflowrun: run_id };
    const received = await context.records.write(receiveEvent, {
      tenantId,
      event: event as JsonObject,
      lane: null,
      now,
    });
    return { run_id, id, source, received };
  },
});
