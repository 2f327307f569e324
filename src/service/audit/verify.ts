import { Type } from "@sinclair/typebox";
import { follow } from "../../audit/index.ts";
import { chainOf, readChain } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, nullable, Text } from "../shapes.ts";
import { tenantOf } from "../tokens/view.ts";
import { ChainOf } from "./view.ts";

const PAGE = 1000;

/** The rows of a chain a page at a time, letting others in between. */
export async function* pagesOf(
  context: ServiceContext,
  tenantId: string,
  after: number,
  through = Number.MAX_SAFE_INTEGER,
) {
  for (let position = after; ; ) {
    const rows = context.views
      .read(readChain, { tenantId, after: position, limit: PAGE })
      .filter(({ seq }) => seq <= through);
    if (rows.length === 0) return;
    yield rows;
    position = rows.at(-1)!.seq;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const verifyAuditChain = defineOperation({
  name: "audit.verify",
  scope: "admin",
  summary: "Whether the chain holds: no entry changed, missing or out of place",
  method: "GET",
  path: "/admin/audit/verify",
  input: closed({ tenant: ChainOf }),
  output: closed({
    ok: Type.Boolean(),
    /** The last entry before the kept ones: 0, or where it was pruned. */
    start: Integer,
    entries: Integer,
    end: Integer,
    end_hash: Text,
    broken_at: nullable(Integer),
  }),
  async run(context, input) {
    const tenantId = tenantOf(context, input.tenant);
    // What is appended meanwhile belongs to the next check.
    const chain = context.views.read(chainOf, { tenantId });
    let end = chain.start;
    let brokenAt: number | null = null;
    for await (const rows of pagesOf(context, tenantId, chain.start.seq, chain.end.seq)) {
      const next = follow(end, rows);
      end = next.end;
      brokenAt = next.brokenAt;
      if (brokenAt !== null) break;
    }
    const whole = end.seq === chain.end.seq && end.hash === chain.end.hash;
    if (brokenAt === null && !whole) brokenAt = end.seq + 1;
    return {
      ok: brokenAt === null,
      start: chain.start.seq,
      entries: end.seq - chain.start.seq,
      end: end.seq,
      end_hash: end.hash,
      broken_at: brokenAt,
    };
  },
});
