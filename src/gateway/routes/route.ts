import type { TSchema } from "@sinclair/typebox";
import type { ServiceContext, ServiceOperation } from "../../service/index.ts";
import type { GatewayParts } from "../parts.ts";

/** One kind of successful answer of a route. */
export interface RouteAnswer {
  readonly status: number;
  readonly about: string;
  readonly type?: string;
  /** Where the answer is JSON. */
  readonly schema?: TSchema;
}

export interface RouteCall {
  /** The caller's own. */
  readonly context: ServiceContext;
  readonly request: Request;
  readonly input: Record<string, unknown>;
  readonly parts: GatewayParts;
}

/**
 * What HTTP has beside the operations of the service: bytes, streams, documents. Path parameters and query are members of
 * `input`, which is closed; a body that is not JSON is the handler's to read.
 */
export interface GatewayRoute {
  /** The operation's id in the OpenAPI document. */
  readonly id: string;
  /** `run.stream`, as messages name it. */
  readonly name: string;
  readonly scope: ServiceOperation["scope"];
  readonly summary: string;
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly input: TSchema;
  /** The media type of a body that is not JSON. */
  readonly takes?: string;
  readonly answers: readonly RouteAnswer[];
  handle(call: RouteCall): Response | Promise<Response>;
}
