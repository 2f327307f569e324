import { readFile } from "node:fs/promises";
import { fail } from "../base/errors.ts";
import { isObject, type JsonObject } from "../base/json.ts";
import type { RequestTarget } from "./paths.ts";

export interface RouteMetadata {
  readonly provider_id: string | undefined;
  readonly model_id: string | undefined;
  readonly route_decision: string | undefined;
}

/** What the files of a request say at the moment. `response` and `error` are the files' own text. */
export interface Outcome {
  readonly state: "pending" | "succeeded" | "failed";
  readonly fingerprint: string | undefined;
  readonly route: RouteMetadata | undefined;
  readonly response: string | undefined;
  readonly error: string | undefined;
}

/** A file's text, or undefined while there is none. */
async function readIf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "ENOTCONN" || code === "ECONNABORTED")
      throw fail("unavailable", `the filesystem at ${path} is gone`);
    if (code === "ENOTDIR") {
      throw fail("unavailable", `no CortexFS serves ${path}`, {
        hint: "start it with `lightflow ctx mount`, or set LIGHTFLOW_CTX_MOUNT",
      });
    }
    throw fail("io", `cannot read ${path}: ${message}`, { cause: error });
  }
}

/** Read fingerprint, route, response and error in the order in which they are written. */
export async function readOutcome(target: RequestTarget): Promise<Outcome> {
  const fingerprint = (await readIf(target.fingerprint))?.trim() || undefined;
  const route = target.route_metadata === null ? undefined : parseRoute(await readIf(target.route_metadata));
  const response = await readIf(target.response);
  const error = response === undefined ? await readIf(target.error) : undefined;
  const state = response !== undefined ? "succeeded" : error !== undefined ? "failed" : "pending";
  return { state, fingerprint, route, response, error };
}

/** Blank members and text that is not JSON are passed over: the route is information, not the outcome. */
export function parseRoute(text: string | undefined): RouteMetadata | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const member = (name: string): string | undefined => {
    const found = value[name];
    return typeof found === "string" && found.trim() !== "" ? found : undefined;
  };
  return { provider_id: member("provider"), model_id: member("model"), route_decision: member("reason") };
}

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** The longest time between two looks, milliseconds. */
  readonly intervalMs?: number;
}

/**
 * Wait until the request has its outcome. Looks again and again at growing intervals: a filesystem in user space tells
 * nobody of its own changes, and a blocking read would hold a thread for as long as a model thinks.
 */
export async function waitForOutcome(target: RequestTarget, options: WaitOptions = {}): Promise<Outcome> {
  const longest = options.intervalMs ?? 100;
  for (let interval = 2; ; interval = Math.min(interval * 1.5, longest)) {
    options.signal?.throwIfAborted();
    // The two files that end it first; the rest is read once.
    if ((await readIf(target.response)) !== undefined || (await readIf(target.error)) !== undefined) {
      return readOutcome(target);
    }
    await Bun.sleep(interval);
  }
}

/** The response of a finished request as JSON, or its error thrown with the code that CortexFS gave it. */
export function responseOf(target: RequestTarget, outcome: Outcome): JsonObject {
  if (outcome.response !== undefined) {
    try {
      const value: unknown = JSON.parse(outcome.response);
      if (isObject(value)) return value as JsonObject;
    } catch {
      // Below.
    }
    throw fail("execution_output_invalid", `the response of ${target.request_id} is not a JSON object`);
  }
  const error = parseError(outcome.error);
  throw fail("command_failed", error.message, {
    details: { request_id: target.request_id, ...error.members },
  });
}

function parseError(text: string | undefined): { message: string; members: Record<string, unknown> } {
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (isObject(value)) return { message: String(value["error"] ?? "the request failed"), members: value };
  } catch {
    // A plain text is a message as it is.
  }
  return { message: text?.trim() || "the request failed", members: {} };
}
