import { type CallError, type CallErrorType, callError } from "./error.ts";

/** The codes of JSON-RPC 2.0, 5.1 that say whose fault it is. */
const TYPES: Readonly<Record<number, CallErrorType>> = {
  [-32600]: "validation",
  [-32601]: "configuration",
  [-32602]: "validation",
};

/** A message is another program's free text: enough to see what it is about. */
const MESSAGE_LENGTH = 300;

/** An error that a JSON-RPC server answered with. */
export function rpcError(from: string, code: number, message: string): CallError {
  const text = message.replace(/\s+/g, " ").trim().slice(0, MESSAGE_LENGTH);
  return callError(
    TYPES[code] ?? "communication",
    `${from} answered with error ${code}${text === "" ? "" : `: ${text}`}`,
  );
}
