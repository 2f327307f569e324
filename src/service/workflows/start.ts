import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { newRunId } from "../runs/start.ts";
import { closed, RunId, StartedRun } from "../shapes.ts";

export const startWorkflow = defineOperation({
  name: "workflow.start",
  scope: "run",
  summary: "Start a run of a document; only for callers on this host",
  method: "POST",
  path: "/workflows/start",
  status: 202,
  input: closed({
    document: Type.Record(Type.String(), Type.Unknown()),
    mode: Type.Optional(Type.Union([Type.Literal("strict"), Type.Literal("light")])),
    run_id: Type.Optional(RunId),
    input: Type.Optional(Type.Unknown()),
    /** Repeating a start with the same run id and content is answered with the first run. */
    idempotent: Type.Optional(Type.Boolean()),
  }),
  output: StartedRun,
  async run(context, input) {
    // A document may name any command; over the network only what the project holds is started.
    if (!context.trustsPaths)
      throw fail("forbidden", "only a caller on this host may start a document of its own");
    const { checkDocument, documentDigest, documentInvalid } = await import("../../workflow/index.ts");
    const diagnostics = checkDocument(input.document, { mode: input.mode ?? "light" });
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    if (errors.length > 0) throw documentInvalid(errors, diagnostics);
    const document = input.document as JsonObject;
    const { name } = document["document"] as { name: string };
    const started = await orchestrationOf(context).start({
      tenantId: context.tenantId,
      runId: input.run_id ?? newRunId(name, context.clock.wall()),
      idempotent: input.idempotent === true,
      sourceEventId: null,
      workflow: name,
      assetId: null,
      document,
      digest: documentDigest(document as never),
      input: (input.input ?? {}) as Json,
    });
    context.onStarted?.(started.runId);
    return { run_id: started.runId, instance_id: started.instanceId, created: started.created };
  },
});
