import { PoolDocument, TenantDocument } from "../../policy/documents.ts";
import { ProfileDocument } from "../../policy/profile.ts";
import { refuseUnheld } from "../../policy/unheld.ts";
import { CommandTemplate } from "../../protocol/template/schema.ts";
import { checkPolicy } from "./check.ts";
import { explainPolicy } from "./explain.ts";
import { getPolicy, publishPolicy } from "./layers.ts";
import { objectOperations } from "./objects.ts";
import { checkPublishable } from "./templates.ts";

const profile = objectOperations("profile", "profiles", ProfileDocument, async (_context, document) =>
  refuseUnheld((document as unknown as ProfileDocument).policy),
);
const template = objectOperations("template", "templates", CommandTemplate, (context, document) =>
  checkPublishable(context, document as unknown as CommandTemplate),
);
const pool = objectOperations("pool", "pools", PoolDocument);
const tenant = objectOperations("tenant", "tenants", TenantDocument);

export const policyOperations = {
  publishPolicy,
  getPolicy,
  explainPolicy,
  checkPolicy,
  publishProfile: profile.publish,
  listProfiles: profile.list,
  getProfile: profile.get,
  revokeProfile: profile.revoke,
  publishTemplate: template.publish,
  listTemplates: template.list,
  getTemplate: template.get,
  revokeTemplate: template.revoke,
  publishPool: pool.publish,
  listPools: pool.list,
  getPool: pool.get,
  revokePool: pool.revoke,
  publishTenant: tenant.publish,
  listTenants: tenant.list,
  getTenant: tenant.get,
  revokeTenant: tenant.revoke,
} as const;
