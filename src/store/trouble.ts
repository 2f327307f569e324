import { Failure } from "../base/errors.ts";

/**
 * Whether an operation failed for the store's own reason (locked, disk full, disk broken) and not for what it was asked: the
 * same operation may go well later.
 */
export function isStoreTrouble(error: unknown): boolean {
  if (error instanceof Failure) return error.code === "io" || error.retry === "safe";
  if (!(error instanceof Error) || !("code" in error)) return false;
  const code = String(error.code);
  return (
    code.startsWith("SQLITE_") && !code.startsWith("SQLITE_CONSTRAINT") && !code.startsWith("SQLITE_ERROR")
  );
}
