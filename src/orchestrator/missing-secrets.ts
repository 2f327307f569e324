import { fail } from "../base/errors.ts";
import type { JsonObject } from "../base/json.ts";
import type { Secrets } from "../secrets/index.ts";

/**
 * Name what has to be set before a workflow begins, however it is started; the values stay where they are.
 * @throws Failure `secret_denied`
 */
export function refuseMissingSecrets(
  secrets: Secrets | undefined,
  tenantId: string,
  document: JsonObject,
): void {
  const names = ((document["use"] as JsonObject | undefined)?.["secrets"] ?? []) as string[];
  const missing = names.filter((name) => secrets?.has(tenantId, name) !== true);
  if (missing.length === 0) return;
  throw fail("secret_denied", `the workflow needs secrets that are not set: ${missing.join(", ")}`, {
    hint: `lightflow secret set ${missing[0]}`,
    details: { secrets: missing },
  });
}
