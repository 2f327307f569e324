import { Type } from "@sinclair/typebox";
import { digestOf } from "../../base/canonical.ts";
import { fail } from "../../base/errors.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import { PolicyLayer } from "../../protocol/policy.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, RunId, Text } from "../shapes.ts";

/** How a run was asked for beyond its inputs. */
const RunOptionsShape = closed({
  cache: Type.Optional(Type.Literal("off")),
  reuses: Type.Optional(Type.Boolean()),
  origin: Type.Optional(
    closed({
      run_id: RunId,
      how: Type.Union([Type.Literal("retry"), Type.Literal("rerun"), Type.Literal("replay")]),
    }),
  ),
  by: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  preset: Type.Optional(Type.String({ maxLength: 128 })),
  sweep: Type.Optional(closed({ id: RunId, parameters: Type.Record(Type.String(), Type.String()) })),
});

const NullableText = Type.Union([Type.String({ maxLength: 256 }), Type.Null()]);

/**
 * Start a document that another process of this host has already resolved and checked. The digest is computed again:
 * what was checked is what is started.
 */
export const startDocument = defineOperation({
  name: "run.start-document",
  scope: "run",
  summary: "Start a resolved document; only for processes of this host",
  method: "POST",
  path: "/runs/start-document",
  status: 202,
  input: closed({
    tenantId: Type.String({ maxLength: 128 }),
    runId: RunId,
    idempotent: Type.Boolean(),
    sourceEventId: NullableText,
    workflow: Type.String({ minLength: 1, maxLength: 256 }),
    assetId: NullableText,
    document: Type.Record(Type.String(), Type.Unknown()),
    digest: Type.String(),
    input: Type.Unknown(),
    options: Type.Optional(RunOptionsShape),
    reuse: Type.Optional(
      Type.Array(closed({ reference: Type.String({ maxLength: 1024 }), output: Type.Unknown() }), {
        maxItems: 10_000,
      }),
    ),
    workspace: Type.Optional(
      Type.Array(closed({ name: Type.String({ maxLength: 4096 }), policy: PolicyLayer }), { maxItems: 256 }),
    ),
  }),
  output: closed({ runId: Text, instanceId: Text, created: Type.Boolean() }),
  async run(context, input) {
    if (!context.trustsPaths)
      throw fail("forbidden", "only a process of this host may start a resolved document");
    if (input.tenantId !== context.tenantId) throw fail("tenant_mismatch");
    const document = input.document as JsonObject;
    if (digestOf(document) !== input.digest)
      throw fail("identity_mismatch", "the digest is not the document's");
    const { checkDocument } = await import("../../workflow/index.ts");
    const faults = checkDocument(document, { mode: "light" }).filter(({ severity }) => severity === "error");
    if (faults.length > 0) throw fail("document_invalid", `${faults[0]!.pointer}: ${faults[0]!.message}`);
    return await orchestrationOf(context).start({
      ...input,
      document,
      input: input.input as Json,
      options: { by: context.principal.subject, ...input.options },
      reuse: input.reuse as { reference: string; output: Json }[] | undefined,
    });
  },
});
