import { Type } from "@sinclair/typebox";
import { isoTime } from "../../base/clock.ts";
import { discardQuarantined, listQuarantined, type QuarantinedUpload } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, Limit, named, Text, Time } from "../shapes.ts";

const Upload = named(
  "QuarantinedUpload",
  closed({
    upload_id: Text,
    announced: Text,
    actual: Text,
    size: Integer,
    instance_id: Text,
    lease_id: Text,
    created_at: Time,
    expires_at: Time,
  }),
);

function view({ id, tenant_id: _, created_at, expires_at, ...rest }: QuarantinedUpload) {
  return { upload_id: id, ...rest, created_at: isoTime(created_at), expires_at: isoTime(expires_at) };
}

export const listQuarantine = defineOperation({
  name: "artifact.quarantine",
  scope: "admin",
  summary: "Uploads that were not what they were announced as: kept apart and never served",
  method: "GET",
  path: "/admin/quarantine",
  input: closed({ limit: Limit }),
  output: closed({ uploads: Type.Array(Upload) }),
  run: (context, input) => ({
    uploads: context.views
      .read(listQuarantined, { tenantId: context.tenantId, limit: input.limit ?? 100 })
      .map(view),
  }),
});

export const discardQuarantine = defineOperation({
  name: "artifact.discard",
  scope: "admin",
  summary: "Remove an upload from the quarantine before its time",
  method: "DELETE",
  path: "/admin/quarantine/:upload_id",
  input: closed({ upload_id: Type.String({ pattern: "^[0-9a-f]{64}-[A-Za-z0-9_-]{1,64}$" }) }),
  output: Upload,
  async run(context, input) {
    const row = await context.records.write(discardQuarantined, {
      tenantId: context.tenantId,
      id: input.upload_id,
      actor: context.principal.subject,
      now: context.clock.wall(),
    });
    // Noted as given up: whoever sweeps next removes what a crash leaves here.
    await context.artifacts.discard(row.id);
    return view(row);
  },
});
