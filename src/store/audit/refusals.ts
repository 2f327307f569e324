import type { JsonObject } from "../../base/json.ts";
import type { Operation } from "../operation.ts";
import { appendAudit } from "./append.ts";

/** The chain of what belongs to no tenant: messages whose credential nobody knows. Not a name that a tenant can have. */
export const NO_TENANT = "_";

export interface Refusal {
  tenantId: string;
  actor: string;
  /** `POST /runner/claim`. */
  object: string;
  body: JsonObject;
}

export const appendRefusals: Operation<{ refusals: readonly Refusal[]; now: number }, void> = (tx, input) => {
  for (const refusal of input.refusals) {
    appendAudit(tx, { ...refusal, now: input.now, action: "message.refused" });
  }
};
