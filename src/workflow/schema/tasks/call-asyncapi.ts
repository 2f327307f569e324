import { type Static, Type } from "@sinclair/typebox";
import { AuthenticationReference } from "../authentication.ts";
import { closed, freeMap, wordOf } from "../build.ts";
import { Duration, ExternalResource, RuntimeExpression } from "../common.ts";
import { SubscriptionIterator } from "../events.ts";
import { taskBase } from "./base.ts";

const ASYNCAPI_PROTOCOLS = [
  "amqp",
  "amqp1",
  "anypointmq",
  "googlepubsub",
  "http",
  "ibmmq",
  "jms",
  "kafka",
  "mercure",
  "mqtt",
  "mqtt5",
  "nats",
  "pulsar",
  "redis",
  "sns",
  "solace",
  "sqs",
  "stomp",
  "ws",
] as const;

const Message = closed({ payload: Type.Optional(freeMap()), headers: Type.Optional(freeMap()) });

const period = { for: Type.Optional(Duration) };
const Consumption = Type.Union([
  closed({ amount: Type.Integer(), ...period }),
  closed({ while: RuntimeExpression, ...period }),
  closed({ until: RuntimeExpression, ...period }),
]);

const Subscription = closed(
  {
    filter: Type.Optional(RuntimeExpression),
    consume: Consumption,
    foreach: Type.Optional(SubscriptionIterator),
  },
  { $id: "AsyncApiSubscription" },
);

const common = {
  document: ExternalResource,
  server: Type.Optional(closed({ name: Type.String(), variables: Type.Optional(freeMap()) })),
  protocol: Type.Optional(wordOf(...ASYNCAPI_PROTOCOLS)),
  authentication: Type.Optional(AuthenticationReference),
};

export const AsyncApiArguments = Type.Union(
  [
    closed({ operation: Type.String(), message: Message, ...common }),
    closed({ operation: Type.String(), subscription: Subscription, ...common }),
    closed({ channel: Type.String(), message: Message, ...common }),
    closed({ channel: Type.String(), subscription: Subscription, ...common }),
  ],
  { $id: "AsyncApiArguments" },
);
/** An `operation` (AsyncAPI 3) or a `channel` (2.6), with a `message` to publish or a `subscription`. */
export type AsyncApiArguments = Static<typeof AsyncApiArguments>;

export const CallAsyncApiTask = closed(
  { call: Type.Literal("asyncapi"), with: AsyncApiArguments, ...taskBase },
  { $id: "CallAsyncApiTask" },
);
export type CallAsyncApiTask = Static<typeof CallAsyncApiTask>;
