import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";

type Rewrite = (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

/**
 * Carry bytes between two connections, both ways, until both directions ended. The end of one direction is passed on
 * after its last byte; a connection that breaks breaks the other. Both must be open for half-closing (`allowHalfOpen`).
 * @param rewriteAnswer what becomes of the bytes from the right on their way to the left
 */
export async function joinSockets(left: Socket, right: Socket, rewriteAnswer?: Rewrite): Promise<void> {
  const back = rewriteAnswer === undefined ? pipeline(right, left) : pipeline(right, rewriteAnswer, left);
  await Promise.allSettled([pipeline(left, right), back]);
}
