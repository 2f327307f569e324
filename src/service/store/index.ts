import { Type } from "@sinclair/typebox";
import { archiveHistories } from "../../store/index.ts";
import { defineOperation } from "../operation.ts";
import { closed } from "../shapes.ts";

const DAY_MS = 86_400_000;

const compactStore = defineOperation({
  name: "db.compact",
  scope: "admin",
  summary: "Move the histories of runs that ended long ago into artifacts; they are read as before",
  method: "POST",
  path: "/admin/store/compact",
  input: closed({ older_than_days: Type.Optional(Type.Number({ minimum: 0, maximum: 36_500 })) }),
  output: closed({ moved: Type.Integer(), bytes: Type.Integer() }),
  run(context, input, signal) {
    const now = context.clock.wall();
    return archiveHistories({
      store: {
        read: (query, from) => context.views.read(query, from),
        write: (operation, to) => context.records.write(operation, to),
      },
      artifacts: context.artifacts,
      endedBefore: now - (input.older_than_days ?? 30) * DAY_MS,
      now,
      signal,
    });
  },
});

export const storeOperations = { compactStore } as const;
