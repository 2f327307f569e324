import { Type } from "@sinclair/typebox";
import { countCache, pruneCache } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed, Integer } from "../shapes.ts";
import { whyStep } from "./why.ts";

const showCache = defineOperation({
  name: "cache.show",
  scope: "read",
  summary: "How many outputs of steps are kept, and how large they are",
  method: "GET",
  path: "/cache",
  input: closed({}),
  output: closed({ entries: Integer, bytes: Integer }),
  run: (context) => context.views.read(countCache, { tenantId: context.tenantId }),
});

const DAY_MS = 86_400_000;

const pruneStepCache = defineOperation({
  name: "cache.prune",
  scope: "run",
  summary: "Forget outputs that no run has used for a while",
  method: "POST",
  path: "/cache/prune",
  input: closed({ unused_days: Type.Optional(Type.Number({ minimum: 0, maximum: 36_500 })) }),
  output: closed({ removed: Integer, entries: Integer, bytes: Integer }),
  async run(context, input) {
    const now = context.clock.wall();
    const removed = await context.records.write(pruneCache, {
      tenantId: context.tenantId,
      // Nothing said: everything, also what a clock that was set back has dated later.
      usedBefore:
        input.unused_days === undefined ? Number.MAX_SAFE_INTEGER : now - input.unused_days * DAY_MS,
    });
    return { removed, ...context.views.read(countCache, { tenantId: context.tenantId }) };
  },
});

export const cacheOperations = { whyStep, showCache, pruneStepCache } as const;
