import { type Static, Type } from "@sinclair/typebox";
import { closed, freeMap } from "./build.ts";
import { Condition, Duration } from "./common.ts";

export const RetryPolicy = closed(
  {
    when: Type.Optional(Condition),
    exceptWhen: Type.Optional(Condition),
    delay: Type.Optional(Duration),
    backoff: Type.Optional(
      Type.Union([
        closed({ constant: freeMap() }),
        closed({ exponential: freeMap() }),
        closed({ linear: freeMap() }),
      ]),
    ),
    limit: Type.Optional(
      closed({
        attempt: Type.Optional(
          closed({ count: Type.Optional(Type.Integer()), duration: Type.Optional(Duration) }),
        ),
        duration: Type.Optional(Duration),
      }),
    ),
    jitter: Type.Optional(closed({ from: Duration, to: Duration })),
  },
  { $id: "RetryPolicy" },
);
export type RetryPolicy = Static<typeof RetryPolicy>;
