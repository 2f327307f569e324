import { artifactRoutes } from "./artifacts.ts";
import { assetRoutes } from "./assets.ts";
import { docsRoutes } from "./docs.ts";
import { mcpRoutes } from "./mcp.ts";
import { metricsRoutes } from "./metrics.ts";
import { openapiRoutes } from "./openapi.ts";
import type { GatewayRoute } from "./route.ts";
import { streamRoutes } from "./streams.ts";

export type { GatewayRoute };

/** Every route beside the operations of the service. */
export const ROUTES: readonly GatewayRoute[] = [
  ...streamRoutes,
  ...artifactRoutes,
  ...assetRoutes,
  ...mcpRoutes,
  ...metricsRoutes,
  ...openapiRoutes,
  ...docsRoutes,
];
