import { Type } from "@sinclair/typebox";
import { fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { refuseUnheld } from "../../policy/index.ts";
import { PolicyLayer } from "../../protocol/policy.ts";
import { publishPolicyObject, readPolicyObject } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, oneOf } from "../shapes.ts";
import { Tenant, tenantOf } from "../tokens/view.ts";
import { byWhom, operatorOnly, PolicyVersion, Published, policyVersion } from "./view.ts";

const Layer = oneOf("service", "tenant");

/** Where a layer is kept: the service has one, each tenant has one. A tenant's own administrators may narrow it. */
function placeOf(context: ServiceContext, layer: "service" | "tenant", tenant: string | undefined) {
  if (layer === "tenant") return { kind: "tenant-policy" as const, id: tenantOf(context, tenant) };
  operatorOnly(context);
  return { kind: "service-policy" as const, id: "service" };
}

export const publishPolicy = defineOperation({
  name: "policy.publish",
  scope: "admin",
  summary:
    "Publish a new version of the service's policy or a tenant's; what runs keeps the one that it began with",
  method: "POST",
  path: "/admin/policies/:layer",
  input: closed({ layer: Layer, tenant: Type.Optional(Tenant), policy: PolicyLayer }),
  output: Published,
  async run(context, input) {
    const place = placeOf(context, input.layer, input.tenant);
    refuseUnheld(input.policy);
    const body = { policy: input.policy } as JsonObject;
    const by = byWhom(context);
    // A tenant finds its policy in its own chain, whoever published it.
    const tenantId = place.kind === "tenant-policy" ? place.id : by.tenantId;
    return {
      ...place,
      ...(await context.records.write(publishPolicyObject, { ...place, body, ...by, tenantId })),
    };
  },
});

export const getPolicy = defineOperation({
  name: "policy.get",
  scope: "admin",
  summary: "The policy of the service or of a tenant, as it was published last",
  method: "GET",
  path: "/admin/policies/:layer",
  input: closed({ layer: Layer, tenant: Type.Optional(Tenant) }),
  output: PolicyVersion,
  run(context, input) {
    const place = placeOf(context, input.layer, input.tenant);
    const found = context.views.read(readPolicyObject, place);
    if (found === null) {
      throw fail("not_found", `no ${input.layer} policy is published`, {
        hint: `lightflow policy publish ${input.layer} FILE`,
      });
    }
    return policyVersion(found);
  },
});
