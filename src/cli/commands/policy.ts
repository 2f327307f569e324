import type { PublishedKind } from "../policy/objects.ts";
import type { CommandRow } from "./row.ts";

const objects = () => import("../policy/objects.ts");

/** `publish`, `list`, `get` and `revoke` of one kind. */
const four = (kind: PublishedKind, what: string): CommandRow[] => [
  {
    path: `${kind} publish`,
    summary: `publish ${what}`,
    load: async () => (await objects()).publishCommand(kind),
  },
  {
    path: `${kind} list`,
    summary: `the published ${kind}s`,
    load: async () => (await objects()).listCommand(kind),
  },
  {
    path: `${kind} get`,
    summary: `one version of a ${kind}`,
    load: async () => (await objects()).getCommand(kind),
  },
  {
    path: `${kind} revoke`,
    summary: `take a ${kind} back at once`,
    load: async () => (await objects()).revokeCommand(kind),
  },
];

/** What tasks may do, and who says so. */
export const POLICY: readonly CommandRow[] = [
  {
    path: "policy explain",
    summary: "what policy makes of a workflow, before it runs",
    load: () => import("../policy/explain.ts"),
  },
  {
    path: "policy check",
    summary: "whether a policy file could be published",
    load: () => import("../policy/check.ts"),
  },
  {
    path: "policy publish",
    summary: "publish the service's policy or a tenant's",
    load: () => import("../policy/publish.ts"),
  },
  {
    path: "policy get",
    summary: "the policy of the service or of a tenant",
    load: () => import("../policy/get.ts"),
  },
  ...four("profile", "what tasks under a name may do"),
  ...four("template", "a command that tasks may run"),
  ...four("pool", "a pool that tasks may be sent to"),
  ...four("tenant", "a tenant"),
];
