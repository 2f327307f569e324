import { type Failure, fail } from "../../base/errors.ts";
import type { JsonObject } from "../../base/json.ts";
import { holdsBoundary } from "../../protocol/common.ts";
import { keptOr } from "../kept.ts";
import type { Reader } from "../runners/session.ts";
import { offerOf } from "../runners/session.ts";
import { type Requirement, requirementOf } from "./admission.ts";

/** What a runner says that a task runs, or ran, in. */
export interface Isolation {
  readonly provider: string | null;
  readonly boundary?: string;
  readonly mode?: string;
}

const requirementById = (tx: Reader, id: number): Requirement =>
  keptOr(tx.kept?.requirement, id, () =>
    requirementOf(tx.get<{ body: string }>("SELECT body FROM requirement WHERE id = ?", id)!.body),
  );

/**
 * Why a runner's sandbox is not what the task demands, or null.
 * @param offer what the server approved of this runner, which counts when a task starts: the runner's own word can only
 * say less. Null for what ran already, perhaps under an older approval.
 */
export function isolationDenial(
  tx: Reader,
  requirement: number,
  said: Isolation,
  offer: string | null,
): Failure | null {
  const { sandboxMode, boundary, sandboxProviders } = requirementById(tx, requirement);
  if (sandboxMode === "none" && boundary === undefined && sandboxProviders === undefined) return null;
  const denied = (message: string) => fail("boundary_too_weak", message);
  const { provider } = said;
  if (provider === null) return denied("the runner does not say in which sandbox the task runs");
  if (sandboxMode !== "none" && provider === "process")
    return denied(`a plain process does not isolate a task as ${sandboxMode}`);
  if (sandboxProviders?.includes(provider) === false)
    return denied(`policy does not allow the sandbox ${provider}`);
  if (offer !== null) {
    const approved = offerOf({ offer }).sandboxProviders.filter((each) => each.provider === provider);
    if (!approved.some((each) => holdsBoundary(each.boundary, boundary ?? "process")))
      return denied(`${provider} of this runner is not approved behind ${boundary ?? "process"}`);
  }
  if (said.boundary !== undefined && !holdsBoundary(said.boundary, boundary ?? "process"))
    return denied(`the task ran behind ${said.boundary}, and its lease demands ${boundary}`);
  if (said.mode !== undefined && said.mode !== sandboxMode)
    return denied(`the task ran as ${said.mode}, and its lease demands ${sandboxMode}`);
  return null;
}

/** What of a lease says how its task is kept apart: for the audit. */
export function demandedIsolation(lease: JsonObject): JsonObject {
  const { sandbox, network, secretPolicy, mounts, freeze } = lease;
  const { mode, copyOf, commitTo } = (lease["workspace"] ?? {}) as JsonObject;
  return {
    ...(sandbox as JsonObject | undefined),
    network: network ?? null,
    secretPolicy: secretPolicy ?? null,
    workspace: {
      mode: mode ?? null,
      ...(copyOf === undefined ? {} : { copyOf }),
      ...(commitTo === undefined ? {} : { commitTo }),
    },
    mounts: mounts ?? [],
    ...(freeze === undefined ? {} : { freeze }),
  };
}
