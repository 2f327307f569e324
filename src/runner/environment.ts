import { join } from "node:path";
import { fail } from "../base/errors.ts";
import type { Lease } from "../protocol/index.ts";
import { LEASE_MARKER, WORKSPACE_MARKER } from "./sandboxes/index.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";

/** Names that would change how a program of ours, or the dynamic linker, behaves before the task's own code runs. */
const REFUSED =
  /^(LD_.*|GLIBC_TUNABLES|BUN_OPTIONS|BUN_BE_BUN|BUN_INSPECT.*|NODE_OPTIONS|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|IFS|PS4|LIGHTFLOW_.*)$/;

/** What each task has for itself. */
const OWN = new Set(["HOME", "TMPDIR", "GIT_CONFIG_GLOBAL"]);

/** @throws Failure `execution_policy_denied` */
export function checkEnvironmentNames(environment: Lease["task"]["environment"]): void {
  for (const [name, value] of Object.entries(environment)) {
    if (REFUSED.test(name)) throw fail("execution_policy_denied", `a task may not set ${name}`);
    if (value.includes("\0")) throw fail("execution_policy_denied", `the value of ${name} holds a NUL byte`);
  }
}

/**
 * What an operator gives every task.
 * @throws Failure `invalid_request` for a name that a task may not have, or that is each task's own
 */
export function checkOwnEnvironment(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (REFUSED.test(name) || OWN.has(name))
      throw fail("invalid_request", `/environment/${name}: a runner may not set it for its tasks`);
    if (value.includes("runner-secret:"))
      throw fail("invalid_request", `/environment/${name}: a secret is named by the task that needs it`, {
        hint: "list it below secrets, and let the task say runner-secret://NAME",
      });
  }
}

export interface TaskPlaces {
  readonly directory: string;
  readonly home: string;
  readonly temporary: string;
  readonly output: string;
  /** Of the artifacts that the task reads; null without any. */
  readonly inputs: string | null;
}

/** The whole environment of a task: nothing of the runner's own is inherited. */
export function taskEnvironment(
  leaseId: string,
  places: TaskPlaces,
  task: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    PATH,
    HOME: places.home,
    LANG: "C.UTF-8",
    TMPDIR: places.temporary,
    // A mounted repository may belong to another user than the one the task runs as.
    GIT_CONFIG_GLOBAL: join(places.home, ".gitconfig"),
    ...task,
    LIGHTFLOW_OUTPUT: places.output,
    ...(places.inputs === null ? {} : { LIGHTFLOW_INPUTS: places.inputs }),
    [WORKSPACE_MARKER]: places.directory,
    [LEASE_MARKER]: leaseId,
  };
}
