import type { Agent } from "../agents/index.ts";
import { fail } from "../base/errors.ts";
import { isObject, type Json, type JsonObject } from "../base/json.ts";
import type { CallEffectRequest } from "../engine/index.ts";
import type { PolicyLayer } from "../policy/index.ts";

/** What a diagnosis says, where neither task nor agent says otherwise. */
const DIAGNOSIS = {
  type: "object",
  properties: {
    cause: { type: "string" },
    category: { enum: ["defect", "test", "dependency", "configuration", "environment", "unknown"] },
    files: { type: "array", items: { type: "string" }, maxItems: 32 },
    suggestion: { type: "string" },
  },
  required: ["cause", "category"],
  additionalProperties: false,
} as const satisfies JsonObject;

const PROMPT = "A step of a workflow failed. Say what the cause most likely is.";
/** Of each text: a summary is a line or a few, never a log. */
const TEXT_CHARACTERS = 4096;

/**
 * The call of an agent that is to say why a step failed, from the summary of its error and nothing else.
 * @throws Failure `execution_policy_denied` where policy does not let a model see it
 */
export function diagnosisRequest(
  request: CallEffectRequest,
  agent: Agent | undefined,
  policy: PolicyLayer,
): CallEffectRequest {
  const denied = (field: string, why: string) => fail("execution_policy_denied", why, { details: { field } });
  if (policy.aiDiagnosisAllowed !== true)
    throw denied("aiDiagnosisAllowed", "what failed here may not be shown to a model");
  const { diagnose, ...given } = request.with;
  const works = (agent?.tools ?? []).length > 0 || agent?.files === true || given["repair"] !== undefined;
  if (works) throw denied("diagnose", "a diagnosis looks at a summary: its agent has no tools and no files");
  const failure = summaryOf(diagnose!);
  const input = given["input"];
  return {
    ...request,
    with: {
      ...given,
      prompt: given["prompt"] ?? PROMPT,
      input: input === undefined || input === null ? { failure } : { failure, given: input },
      outputSchema: given["outputSchema"] ?? (agent?.outputSchema as Json | undefined) ?? DIAGNOSIS,
    },
  };
}

const TEXTS = ["type", "title", "detail", "instance"] as const;
const FACTS = ["code", "exitCode", "signal"] as const;

/** Of an error what says what happened; data that a step put into it stays where it is. */
function summaryOf(error: Json): JsonObject {
  if (!isObject(error))
    return { detail: shortened(typeof error === "string" ? error : JSON.stringify(error)) };
  const told = error as JsonObject;
  const data = (isObject(told["data"]) ? told["data"] : {}) as JsonObject;
  return {
    ...Object.fromEntries(
      TEXTS.flatMap((name) => (typeof told[name] === "string" ? [[name, shortened(told[name])]] : [])),
    ),
    ...(typeof told["status"] === "number" ? { status: told["status"] } : {}),
    ...Object.fromEntries(
      FACTS.flatMap((name) =>
        ["string", "number"].includes(typeof data[name]) ? [[name, data[name] as Json]] : [],
      ),
    ),
  };
}

const shortened = (text: string): string => text.slice(0, TEXT_CHARACTERS).toWellFormed();
