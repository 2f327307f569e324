import { Type } from "@sinclair/typebox";
import { Failure } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { PoolDocument, TenantDocument } from "../../policy/documents.ts";
import { completeProfile, ProfileDocument } from "../../policy/profile.ts";
import { PolicyLayer } from "../../protocol/policy.ts";
import { CommandTemplate } from "../../protocol/template/schema.ts";
import { validate } from "../../protocol/validate.ts";
import { defineOperation } from "../operation.ts";
import { AnyObject, closed, nullable, oneOf, Text } from "../shapes.ts";
import { checkPublishable } from "./templates.ts";

const SCHEMAS = {
  profile: ProfileDocument,
  template: CommandTemplate,
  pool: PoolDocument,
  tenant: TenantDocument,
  policy: PolicyLayer,
} as const;

export const checkPolicy = defineOperation({
  name: "policy.check",
  scope: "admin",
  summary:
    "Whether a policy, profile, template, pool or tenant could be published, and what a profile comes to",
  method: "POST",
  path: "/admin/policy/check",
  input: closed({ kind: oneOf("policy", "profile", "template", "pool", "tenant"), document: Type.Unknown() }),
  output: closed({
    valid: Type.Boolean(),
    problem: nullable(closed({ code: Text, message: Text })),
    /** Of a profile: with the strictest value wherever it says nothing. */
    complete: nullable(AnyObject),
  }),
  async run(context, { kind, document }) {
    try {
      const checked = validate(SCHEMAS[kind], document);
      if (kind === "template") await checkPublishable(context, checked as CommandTemplate);
      const complete =
        kind === "profile" ? (completeProfile(checked as ProfileDocument) as JsonObject) : null;
      return { valid: true, problem: null, complete };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { valid: false, problem: { code: error.code, message: error.message }, complete: null };
    }
  },
});
