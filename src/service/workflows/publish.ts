import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { orchestrationOf } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Text } from "../shapes.ts";

export const publishWorkflow = defineOperation({
  name: "workflow.publish",
  scope: "run",
  summary: "Publish a document under its namespace, name and version; a version never changes",
  method: "POST",
  path: "/publications",
  input: closed({
    document: Type.Record(Type.String(), Type.Unknown()),
    mode: Type.Optional(Type.Union([Type.Literal("strict"), Type.Literal("light")])),
  }),
  output: closed({ namespace: Text, name: Text, version: Text, digest: Text, created: Type.Boolean() }),
  async run(context, input) {
    if (!context.trustsPaths) throw fail("forbidden", "only a caller on this host may publish a document");
    const { checkDocument, documentDigest, documentInvalid } = await import("../../workflow/index.ts");
    const diagnostics = checkDocument(input.document, { mode: input.mode ?? "light" });
    const errors = diagnostics.filter(({ severity }) => severity === "error");
    if (errors.length > 0) throw documentInvalid(errors, diagnostics);
    const document = input.document as JsonObject;
    const { namespace, name, version } = document["document"] as Record<
      "namespace" | "name" | "version",
      string
    >;
    const { created, digest } = await orchestrationOf(context).publish(
      context.tenantId,
      document,
      documentDigest(document as never),
    );
    return { namespace, name, version, digest, created };
  },
});
