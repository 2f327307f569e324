import { systemClock } from "../../base/clock.ts";
import { callOperation, OPERATIONS } from "../../service/index.ts";
import type { Io } from "../io.ts";
import { placeOfUser } from "../run/plan.ts";

/** Print the answer of an operation that needs neither a store nor a mount, and makes none. */
export async function printPure(name: string, input: Record<string, unknown>, io: Io): Promise<number> {
  const operation = OPERATIONS.find((each) => each.name === name)!;
  const context = { place: placeOfUser(io), root: io.root(), clock: systemClock };
  io.print(await callOperation(operation, context as never, input));
  return 0;
}
