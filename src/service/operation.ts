import type { Static, TSchema } from "@sinclair/typebox";
import { validate } from "../protocol/validate.ts";
import type { ServiceContext } from "./context.ts";
import type { Scope } from "./principal.ts";

/**
 * One thing the product does, the same on every surface: the CLI, HTTP, MCP and streams only call it. `input` is closed;
 * path parameters, query and body are its members.
 */
export interface ServiceOperation<Input extends TSchema = TSchema, Output = unknown> {
  /** `run.start`: the CLI's words with a dot. */
  readonly name: string;
  /** What the caller's credential must allow; `public` asks for none. */
  readonly scope: Scope | "public";
  readonly summary: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** With `:name` for path parameters. */
  readonly path: string;
  /** 200 unless said. */
  readonly status?: number;
  /** What a request over HTTP carries: JSON unless said; a CloudEvent may also come in headers, and bytes
   * are sent as they are and become the member `body_base64`. */
  readonly body?: "cloudevent" | "bytes";
  /** Whether the header `Idempotency-Key` becomes the member `idempotency_key`. */
  readonly idempotent?: true;
  /** Whether the answer depends on the store, the tenant and the input alone: it may be kept until the next commit. */
  readonly stored?: true;
  /** The member of the answer whose values are lines, for callers that ask for JSON Lines. */
  readonly lines?: string;
  readonly input: Input;
  /** The shape of the answer, for OpenAPI and MCP; a test holds live answers against it. */
  readonly output: TSchema;
  run(context: ServiceContext, input: Static<Input>, signal: AbortSignal): Promise<Output> | Output;
}

export function defineOperation<Input extends TSchema, Output>(
  operation: ServiceOperation<Input, Output>,
): ServiceOperation<Input, Output> {
  return operation;
}

/** For callers that never give up. */
const NEVER = new AbortController().signal;

/** Check the input, then run: what every surface calls. */
export async function callOperation<Input extends TSchema, Output>(
  operation: ServiceOperation<Input, Output>,
  context: ServiceContext,
  input: unknown,
  signal: AbortSignal = NEVER,
): Promise<Output> {
  return await operation.run(context, validate(operation.input, input), signal);
}
