import { Type } from "@sinclair/typebox";
import { jsonResponse } from "../../base/http.ts";
import { closed } from "../../protocol/common.ts";
import { callOperation, service } from "../../service/index.ts";
import type { GatewayRoute } from "./route.ts";

const KINDS = [
  ["workflows", "Workflows", "workflow"],
  ["nodes", "Nodes", "node"],
  ["compositions", "Compositions", "composition"],
  ["models", "Models", "model"],
] as const;

/** The short paths of the first interface for lists of assets and the cards behind them. */
export const assetRoutes: readonly GatewayRoute[] = KINDS.flatMap(([kind, plural, one]): GatewayRoute[] => [
  {
    id: `list${plural}`,
    name: `assets.${kind}`,
    scope: "read",
    summary: `The ${kind} of the project and of this build`,
    method: "GET",
    path: `/${kind}`,
    input: closed({}),
    answers: [{ status: 200, about: "Their records", schema: service.listAssets.output }],
    handle: async ({ context }) => jsonResponse(await callOperation(service.listAssets, context, { kind })),
  },
  {
    id: `get${plural.slice(0, -1)}`,
    name: `assets.${one}`,
    scope: "read",
    summary: `One ${one} as a card: ports, what it does, which models it needs`,
    method: "GET",
    path: `/${kind}/:id`,
    input: closed({ id: Type.String({ minLength: 1, maxLength: 256 }) }),
    answers: [{ status: 200, about: "The card", schema: service.showAsset.output }],
    handle: async ({ context, input }) =>
      jsonResponse(await callOperation(service.showAsset, context, { kind, id: input["id"] })),
  },
]);
