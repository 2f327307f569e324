export { PolicyLayer } from "../protocol/policy.ts";
export { deniedOf, getValue, POLICY_FIELDS, type PolicyField, type PolicyValue, stated } from "./fields.ts";
export { meet } from "./meet.ts";
export * from "./profile.ts";
export * from "./resolve.ts";
