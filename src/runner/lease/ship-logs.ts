import { shipLog } from "../logs/shipper.ts";
import type { Spool } from "../logs/spool.ts";
import type { Reporter } from "./reporter.ts";

/** Send several streams of one lease beside each other. @throws what the first of them threw, once all have ended */
export async function shipLogs(
  spools: readonly Spool[],
  reporter: Pick<Reporter, "log">,
  signal: AbortSignal,
): Promise<void> {
  const results = await Promise.allSettled(
    spools.map((spool) =>
      shipLog(spool, (which, seq, bytes, final) => reporter.log(which, seq, bytes, final, signal), signal),
    ),
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
