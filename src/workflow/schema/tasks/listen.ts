import { type Static, Type } from "@sinclair/typebox";
import { closed } from "../build.ts";
import { EventStrategy, ReadMode, SubscriptionIterator } from "../events.ts";
import { taskBase } from "./base.ts";

export const ListenTask = closed(
  {
    listen: closed({ to: EventStrategy, read: Type.Optional(ReadMode) }),
    foreach: Type.Optional(SubscriptionIterator),
    ...taskBase,
  },
  { $id: "ListenTask" },
);
export type ListenTask = Static<typeof ListenTask>;
