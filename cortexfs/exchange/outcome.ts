import type { Json, JsonObject } from "../../src/base/json.ts";
import type { Attempt } from "../providers/call.ts";
import type { Refusal } from "./plan.ts";

/** The content of `<id>.error`. */
export function errorText(id: string, refusal: Refusal): string {
  const { failure, members, attempts } = refusal;
  return `${JSON.stringify({
    request_id: id,
    error: failure.message,
    code: failure.code,
    retry: failure.retry,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.details === undefined ? {} : { details: failure.details as Json }),
    ...(attempts.length === 0 ? {} : { attempts: attempts as unknown as Json }),
    ...members,
  })}\n`;
}

/** The route as it was taken in the end: another provider than planned is a fallback, with what was tried. */
export function withAttempts(text: string | null, attempts: readonly Attempt[]): string | null {
  if (text === null || attempts.length === 0) return text;
  const planned = JSON.parse(text) as JsonObject;
  const last = attempts.at(-1)!;
  return JSON.stringify({
    ...planned,
    provider: last.provider,
    model: last.model,
    reason: last.reason !== "ready" ? last.reason : attempts.length > 1 ? "fallback" : "ready",
    attempts: attempts as unknown as Json,
  });
}

export function pick<T extends object, K extends keyof T>(value: T, ...keys: K[]): Partial<Pick<T, K>> {
  const result: Partial<Pick<T, K>> = {};
  for (const key of keys) if (value[key] !== undefined) result[key] = value[key];
  return result;
}
