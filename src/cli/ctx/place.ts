import { fail } from "../../base/errors.ts";
import { OPERATIONS } from "../../service/index.ts";
import type { Io } from "../io.ts";
import { placeOfUser } from "../run/plan.ts";

/** A path record, which needs neither a store nor a mount. */
export async function printPaths(name: string, input: Record<string, string>, io: Io): Promise<number> {
  const operation = OPERATIONS.find((each) => each.name === name);
  if (operation === undefined) throw fail("internal", `no operation ${name}`);
  const context = { place: placeOfUser(io) } as never;
  io.print(await operation.run(context, input as never, new AbortController().signal));
  return 0;
}
