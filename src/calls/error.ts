import type { ErrorCode } from "../base/errors.ts";

/**
 * What a call task can fault with: the DSL's standard error types (DSL reference, "Errors") that a call may raise, each
 * with its status. `communication` carries the status of the answer instead, where there was one.
 */
export const CALL_ERRORS = {
  configuration: 400,
  validation: 400,
  authentication: 401,
  authorization: 403,
  timeout: 408,
  communication: 500,
} as const;
export type CallErrorType = keyof typeof CALL_ERRORS;

/** Whether the other side may have acted on the request: `none` may be repeated, `possible` must be looked at first. */
export type Sent = "none" | "possible";

/** A call that did not succeed. `detail` never holds a credential, a query or a body. */
export class CallError extends Error {
  override readonly name = "CallError";
  /** The suffix of the standard error type. */
  readonly type: CallErrorType;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly sent: Sent;
  /** Where what happened has a name of its own. */
  readonly code: ErrorCode | undefined;

  constructor(type: CallErrorType, detail: string, status: number, sent: Sent, code?: ErrorCode) {
    super(detail);
    this.type = type;
    this.status = status;
    this.title = `${type[0]!.toUpperCase()}${type.slice(1)} error`;
    this.detail = detail;
    this.sent = sent;
    this.code = code;
  }
}

/** Make an error to throw. Inside a call `sent` is left to {@link ./execute.ts}, which knows what went out. */
export function callError(
  type: CallErrorType,
  detail: string,
  status: number = CALL_ERRORS[type],
  { code }: { code?: ErrorCode } = {},
): CallError {
  return new CallError(type, detail, status, "none", code);
}
