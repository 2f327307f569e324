import { writeFileSync } from "node:fs";
import { fail, toFailure } from "../base/errors.ts";
import { OUTCOME_UNKNOWN_EXIT } from "../base/exit-codes.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import { parseStrictJson } from "../base/strict-json.ts";

/** What an action gets beside what the workflow gives it. */
export interface ActionContext {
  readonly given: JsonObject;
  /** The same for every attempt of one task, another one for every other task. */
  readonly idempotencyKey: string;
  /** Where the artifact of this digest lies. @throws Failure for one that the task does not read */
  file(sha256: string): string;
  /** Public keys (raw, base64url) of the runners whose provenance counts. */
  readonly builderKeys: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the action says of itself, in the log of its task. */
  say(line: string): void;
}

export type Action = (context: ActionContext) => Promise<Json>;

const ACTIONS: Readonly<Record<string, () => Promise<Action>>> = {
  sbom: async () => (await import("./sbom.ts")).sbom,
  publish: async () => (await import("./publish.ts")).publish,
  inspect: async () => (await import("./inspect.ts")).inspect,
  sign: async () => (await import("./sign.ts")).sign,
  branch: async () => (await import("./branch.ts")).branch,
  "pull-request": async () => (await import("./pull-request.ts")).pullRequest,
  tag: async () => (await import("./tag.ts")).tag,
};

/**
 * The child that does one fixed action inside the sandbox of its task. It is started by a runner for a lease that names the
 * action; what the workflow gives it comes as JSON on standard input, artifacts by their digests as files. No text of
 * the workflow chooses a program.
 * @returns the exit code
 */
export async function runAction(name: string | undefined): Promise<number> {
  try {
    const load = Object.hasOwn(ACTIONS, name ?? "") ? ACTIONS[name!] : undefined;
    if (load === undefined) throw fail("invalid_request", `there is no action ${String(name)}`);
    const given = parseStrictJson(await Bun.stdin.text());
    if (!isObject(given)) throw fail("invalid_request", "the action was given no object");
    const output = await (await load())(contextOf(given as JsonObject));
    const target = process.env["LIGHTFLOW_OUTPUT"];
    const text = JSON.stringify(output);
    if (target === undefined) process.stdout.write(`${text}\n`);
    else writeFileSync(target, text);
    return 0;
  } catch (error) {
    const { code, message, hint } = toFailure(error);
    console.error(`${name}: ${code}: ${message}${hint === undefined ? "" : ` (${hint})`}`);
    return code === "execution_outcome_unknown" ? OUTCOME_UNKNOWN_EXIT : 1;
  }
}

const DIGEST = /^(?:sha256:)?([0-9a-f]{64})$/;

function contextOf(given: JsonObject): ActionContext {
  const { env } = process;
  const inputs = env["LIGHTFLOW_INPUTS"];
  return {
    given,
    env,
    idempotencyKey: env["LIGHTFLOW_IDEMPOTENCY_KEY"] ?? "",
    builderKeys: (env["LIGHTFLOW_BUILDER_KEYS"] ?? "").split(",").filter((key) => key !== ""),
    file(sha256) {
      const digest = DIGEST.exec(sha256)?.[1];
      if (digest === undefined || inputs === undefined)
        throw fail("artifact_not_found", `the task does not read an artifact ${sha256}`, {
          hint: "name it among the step's files",
        });
      return `${inputs}/${digest}`;
    },
    say: (line) => console.log(line),
  };
}
