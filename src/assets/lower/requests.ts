import type { Json, JsonObject } from "../../base/json.ts";
import type { ModelCandidate, RequestTemplate, StepTarget } from "../definition/types.ts";

/** What a provider may answer at most where its format wants to be told. */
const ANSWER_TOKENS = 4096;

/**
 * The request that a `/ctx` step commits. Without a template the inputs are the request; a prompt template puts one
 * input field into one user message. The model that is asked for is the first candidate of the model asset that fits
 * the format; without one the choice is left to the route.
 */
export function requestBody(
  target: StepTarget,
  request: RequestTemplate | undefined,
  candidates: readonly ModelCandidate[],
): Json {
  if (request === undefined) return "${ .inputs }";
  if (request.kind === "json") return request.body;
  const content = `\${ .inputs[${JSON.stringify(request.input_field)}] }`;
  const format = target.kind === "api" ? target.format : "";
  const model = candidates.find((candidate) => candidate.format === undefined || candidate.format === format);
  const chosen: JsonObject = model === undefined ? {} : { model: model.model };
  switch (request.kind) {
    case "openai_chat_prompt":
      return { ...chosen, messages: [{ role: "user", content }] };
    case "openai_responses_prompt":
      return { ...chosen, input: content };
    case "anthropic_messages_prompt":
      return { ...chosen, max_tokens: ANSWER_TOKENS, messages: [{ role: "user", content }] };
    case "google_generate_content_prompt":
      return { ...chosen, contents: [{ role: "user", parts: [{ text: content }] }] };
  }
}
