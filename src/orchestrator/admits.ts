import { fail } from "../base/errors.ts";
import { coversName, coversPath, type PolicyLayer } from "../policy/index.ts";

export const denied = (why: string, field: string) =>
  fail("execution_policy_denied", why, { details: { field } });

/** Whether policy allows a name of a kind and does not deny it. */
export const admits = (
  policy: PolicyLayer,
  kind: "images" | "environmentNames" | "commandTemplates" | "actions",
  name: string,
): boolean =>
  (policy.allow?.[kind] ?? []).some((wide) => coversName(wide, name)) &&
  !(policy.deny?.[kind] ?? []).some((wide) => coversName(wide, name));

/** @throws Failure `execution_policy_denied` for a program that policy does not allow, or denies */
export function checkProgram(command: string, policy: PolicyLayer): void {
  const programs = policy.allow?.executables ?? [];
  if (!programs.includes("/") && !programs.some((path) => coversPath(path, command)))
    throw denied(`the program ${command} is not one that policy allows`, "allow.executables");
  if ((policy.deny?.executables ?? []).some((path) => coversPath(path, command)))
    throw denied(`the program ${command} is denied by policy`, "deny.executables");
}

/** @throws Failure `execution_policy_denied` */
export function checkEnvironment(environment: Readonly<Record<string, string>>, policy: PolicyLayer): void {
  const over = Object.keys(environment).find((name) => !admits(policy, "environmentNames", name));
  if (over !== undefined)
    throw denied(`the environment variable ${over} is not one that policy allows`, "allow.environmentNames");
}
