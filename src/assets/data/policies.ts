import { PolicyLayer } from "../../protocol/policy.ts";
import { type ConstantFile, readConstants } from "./constant.ts";

/** The workspace's own layers of policy: `lightflow/policies/<name>.ts` with `export const POLICY = { … }`. */
export const readPolicyFiles = (root: string): ConstantFile<PolicyLayer>[] =>
  readConstants<PolicyLayer>(root, "policies", "POLICY", PolicyLayer);
