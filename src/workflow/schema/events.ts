import { type Static, Type } from "@sinclair/typebox";
import type { Json } from "../../base/json.ts";
import { anyValue, closed, mapOf, TaskListReference, wordOf } from "./build.ts";
import { Condition, Export, Output, RuntimeExpression } from "./common.ts";
import { DateTime, Uri } from "./text.ts";

const properties = {
  id: Type.Optional(Type.String()),
  source: Type.Optional(Type.Union([Uri, RuntimeExpression])),
  type: Type.Optional(Type.String()),
  time: Type.Optional(Type.Union([DateTime, RuntimeExpression])),
  subject: Type.Optional(Type.String()),
  datacontenttype: Type.Optional(Type.String()),
  dataschema: Type.Optional(Type.Union([Uri, RuntimeExpression])),
  data: Type.Optional(anyValue()),
};

/** CloudEvents 1.0 attributes; other keys are extension attributes. */
export interface EventAttributes {
  id?: string;
  source?: string;
  type?: string;
  time?: string;
  subject?: string;
  datacontenttype?: string;
  dataschema?: string;
  data?: Json;
  [extension: string]: Json | undefined;
}

/** What an `emit` writes: the renamed specification lets the engine fill in `id` and `source`. */
export const EmittedAttributes = Type.Unsafe<EventAttributes & { type: string }>(
  Type.Object(
    { ...properties, type: Type.String() },
    { $id: "EmittedAttributes", additionalProperties: true },
  ),
);

export const EventFilter = closed(
  {
    with: Type.Unsafe<EventAttributes>(
      Type.Object(properties, { $id: "EventAttributes", minProperties: 1, additionalProperties: true }),
    ),
    correlate: Type.Optional(mapOf(closed({ from: Condition, expect: Type.Optional(Type.String()) }))),
  },
  { $id: "EventFilter" },
);
/** Attributes compare by equality, regular expression or `${ … }`. */
export type EventFilter = Static<typeof EventFilter>;

const All = closed({ all: Type.Array(EventFilter) });
const One = closed({ one: EventFilter });
const AnyWithoutEnd = closed({ any: Type.Array(EventFilter) });

export const EventStrategy = Type.Union(
  [
    All,
    closed({
      any: Type.Array(EventFilter),
      until: Type.Optional(Type.Union([Condition, All, AnyWithoutEnd, One])),
    }),
    One,
  ],
  { $id: "EventStrategy" },
);
/** `all` (one of each), `any` (an empty list is every event) with `until`, or `one`. */
export type EventStrategy = Static<typeof EventStrategy>;

export const ReadMode = wordOf("data", "envelope", "raw");
export type ReadMode = Static<typeof ReadMode>;

export const SubscriptionIterator = closed(
  {
    item: Type.Optional(Type.String()),
    at: Type.Optional(Type.String()),
    do: Type.Optional(TaskListReference),
    output: Type.Optional(Output),
    export: Type.Optional(Export),
  },
  { $id: "SubscriptionIterator" },
);
/** What runs for each consumed event; `item` defaults to "item", `at` to "index". */
export type SubscriptionIterator = Static<typeof SubscriptionIterator>;
