import { type Static, Type } from "@sinclair/typebox";
import { AuthenticationReference } from "../authentication.ts";
import { anyValue, closed, freeMap, mapOf, wordOf } from "../build.ts";
import { Duration, Endpoint, ExternalResource, RuntimeExpression } from "../common.ts";
import { taskBase } from "./base.ts";

const HttpOutput = wordOf("raw", "content", "response");
const TextMap = Type.Union([mapOf(Type.String()), RuntimeExpression]);

export const HttpArguments = closed(
  {
    method: Type.String(),
    endpoint: Endpoint,
    headers: Type.Optional(TextMap),
    body: Type.Optional(anyValue()),
    query: Type.Optional(TextMap),
    /** Default `content`. */
    output: Type.Optional(HttpOutput),
    /** Default false: a 3xx answer is an error. */
    redirect: Type.Optional(Type.Boolean()),
  },
  { $id: "HttpArguments" },
);
export type HttpArguments = Static<typeof HttpArguments>;
export const CallHttpTask = closed(
  { call: Type.Literal("http"), with: HttpArguments, ...taskBase },
  { $id: "CallHttpTask" },
);
export type CallHttpTask = Static<typeof CallHttpTask>;

export const OpenApiArguments = closed(
  {
    document: ExternalResource,
    operationId: Type.String(),
    parameters: Type.Optional(freeMap()),
    authentication: Type.Optional(AuthenticationReference),
    output: Type.Optional(HttpOutput),
    redirect: Type.Optional(Type.Boolean()),
  },
  { $id: "OpenApiArguments" },
);
export type OpenApiArguments = Static<typeof OpenApiArguments>;
export const CallOpenApiTask = closed(
  { call: Type.Literal("openapi"), with: OpenApiArguments, ...taskBase },
  { $id: "CallOpenApiTask" },
);
export type CallOpenApiTask = Static<typeof CallOpenApiTask>;

export const GrpcArguments = closed(
  {
    proto: ExternalResource,
    service: closed({
      name: Type.String(),
      host: Type.String({
        pattern: "^[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?$",
        description: "a host name of at most 63 characters",
      }),
      port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65535 })),
      authentication: Type.Optional(AuthenticationReference),
    }),
    method: Type.String(),
    arguments: Type.Optional(freeMap()),
  },
  { $id: "GrpcArguments" },
);
export type GrpcArguments = Static<typeof GrpcArguments>;
export const CallGrpcTask = closed(
  { call: Type.Literal("grpc"), with: GrpcArguments, ...taskBase },
  { $id: "CallGrpcTask" },
);
export type CallGrpcTask = Static<typeof CallGrpcTask>;

const A2A_METHODS = [
  "message/send",
  "message/stream",
  "tasks/get",
  "tasks/list",
  "tasks/cancel",
  "tasks/resubscribe",
  "tasks/pushNotificationConfig/set",
  "tasks/pushNotificationConfig/get",
  "tasks/pushNotificationConfig/list",
  "tasks/pushNotificationConfig/delete",
  "agent/getAuthenticatedExtendedCard",
] as const;

export const A2aArguments = closed(
  {
    agentCard: Type.Optional(ExternalResource),
    server: Type.Optional(Endpoint),
    method: wordOf(...A2A_METHODS),
    parameters: Type.Optional(Type.Union([freeMap({ minProperties: 1 }), Type.String()])),
  },
  { $id: "A2aArguments" },
);
export type A2aArguments = Static<typeof A2aArguments>;
export const CallA2aTask = closed(
  { call: Type.Literal("a2a"), with: A2aArguments, ...taskBase },
  { $id: "CallA2aTask" },
);
export type CallA2aTask = Static<typeof CallA2aTask>;

const McpTransportOptions = { options: Type.Optional(mapOf(Type.String())) };

export const McpArguments = closed(
  {
    /** Default "2025-06-18". */
    protocolVersion: Type.Optional(Type.String()),
    method: wordOf(
      "tools/list",
      "tools/call",
      "prompts/list",
      "prompts/get",
      "resources/list",
      "resources/read",
      "resources/templates/list",
    ),
    parameters: Type.Optional(Type.Union([freeMap(), Type.String()])),
    timeout: Type.Optional(Duration),
    transport: Type.Union([
      closed({
        http: closed({ endpoint: Endpoint, headers: Type.Optional(mapOf(Type.String())) }),
        ...McpTransportOptions,
      }),
      closed({
        stdio: closed({
          command: Type.String(),
          arguments: Type.Optional(Type.Array(Type.String())),
          environment: Type.Optional(mapOf(Type.String())),
        }),
        ...McpTransportOptions,
      }),
    ]),
    client: Type.Optional(
      closed({ name: Type.String(), version: Type.String(), description: Type.Optional(Type.String()) }),
    ),
  },
  { $id: "McpArguments" },
);
export type McpArguments = Static<typeof McpArguments>;
export const CallMcpTask = closed(
  { call: Type.Literal("mcp"), with: McpArguments, ...taskBase },
  { $id: "CallMcpTask" },
);
export type CallMcpTask = Static<typeof CallMcpTask>;
