import { Type } from "@sinclair/typebox";
import { exportLines } from "../../audit/index.ts";
import { fail } from "../../base/errors.ts";
import { chainOf, keepAuditExport, prunableThrough, pruneAudit } from "../../store/index.ts";
import type { ServiceContext } from "../context.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer, nullable, Text } from "../shapes.ts";
import { tenantOf } from "../tokens/view.ts";
import { pagesOf, verifyAuditChain } from "./verify.ts";
import { ChainOf } from "./view.ts";

const DAY_MS = 86_400_000;

/** Entries up to a number as an artifact. */
async function store(context: ServiceContext, tenantId: string, through: number) {
  const { start } = context.views.read(chainOf, { tenantId });
  const encoder = new TextEncoder();
  async function* bytes() {
    for await (const line of exportLines(tenantId, start, pagesOf(context, tenantId, start.seq, through))) {
      yield encoder.encode(line);
    }
  }
  return { start, artifact: await context.artifacts.put(bytes()) };
}

export const exportAudit = defineOperation({
  name: "audit.export",
  scope: "admin",
  summary: "The kept chain as an artifact of JSON lines, which verifies by itself",
  method: "POST",
  path: "/admin/audit/export",
  input: closed({ tenant: ChainOf }),
  output: closed({ artifact: Text, size: Integer, after: Integer, through: Integer }),
  async run(context, input) {
    const tenantId = tenantOf(context, input.tenant);
    const through = context.views.read(chainOf, { tenantId }).end.seq;
    const { start, artifact } = await store(context, tenantId, through);
    await context.records.write(keepAuditExport, { tenantId, through, artifact: artifact.sha256 });
    return { artifact: artifact.sha256, size: artifact.size, after: start.seq, through };
  },
});

export const pruneAuditChain = defineOperation({
  name: "audit.prune",
  scope: "admin",
  summary: "Export entries that are older than so many days to an artifact, then remove them",
  method: "POST",
  path: "/admin/audit/prune",
  input: closed({ keep_days: Type.Integer({ minimum: 0, maximum: 36_500 }), tenant: ChainOf }),
  output: closed({ pruned: Integer, through: Integer, artifact: nullable(Text) }),
  async run(context, input, signal) {
    const tenantId = tenantOf(context, input.tenant);
    const now = context.clock.wall();
    const last = context.views.read(prunableThrough, { tenantId, before: now - input.keep_days * DAY_MS });
    if (last === null) return { pruned: 0, through: 0, artifact: null };
    const { ok } = await verifyAuditChain.run(context, { tenant: input.tenant }, signal);
    if (!ok)
      throw fail("store_corrupt", "the audit chain is broken and stays as it is", {
        hint: "lightflow audit verify",
      });
    const { start, artifact } = await store(context, tenantId, last.seq);
    const order = {
      tenantId,
      through: last.seq,
      artifact: artifact.sha256,
      actor: context.principal.subject,
      now,
    };
    while (!(await context.records.write(pruneAudit, order)));
    return { pruned: last.seq - start.seq, through: last.seq, artifact: artifact.sha256 };
  },
});
