import { type CallError, type CallErrorType, callError } from "../error.ts";

/** gRPC status codes as errors of the DSL, with the HTTP status that `google/rpc/code.proto` names for each. */
const STATUS: Readonly<Record<number, readonly [string, CallErrorType, number]>> = {
  1: ["CANCELLED", "communication", 499],
  2: ["UNKNOWN", "communication", 500],
  3: ["INVALID_ARGUMENT", "validation", 400],
  4: ["DEADLINE_EXCEEDED", "timeout", 408],
  5: ["NOT_FOUND", "communication", 404],
  6: ["ALREADY_EXISTS", "communication", 409],
  7: ["PERMISSION_DENIED", "authorization", 403],
  8: ["RESOURCE_EXHAUSTED", "communication", 429],
  9: ["FAILED_PRECONDITION", "communication", 400],
  10: ["ABORTED", "communication", 409],
  11: ["OUT_OF_RANGE", "validation", 400],
  12: ["UNIMPLEMENTED", "communication", 501],
  13: ["INTERNAL", "communication", 500],
  14: ["UNAVAILABLE", "communication", 503],
  15: ["DATA_LOSS", "communication", 500],
  16: ["UNAUTHENTICATED", "authentication", 401],
};

export function statusError(code: number, details: string): CallError {
  const [name, type, status] = STATUS[code] ?? STATUS[2]!;
  const text = details.replace(/\s+/g, " ").trim().slice(0, 300);
  return callError(type, `the gRPC server answered ${name}${text === "" ? "" : `: ${text}`}`, status);
}
