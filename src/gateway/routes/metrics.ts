import { closed } from "../../protocol/common.ts";
import type { GatewayRoute } from "./route.ts";

const TYPE = "text/plain";

export const metricsRoutes: readonly GatewayRoute[] = [
  {
    id: "getMetrics",
    name: "metrics",
    scope: "admin",
    summary: "Counts and times for Prometheus, over all tenants",
    method: "GET",
    path: "/metrics",
    input: closed({}),
    answers: [{ status: 200, about: "The text exposition format", type: TYPE }],
    handle: ({ context, parts }) =>
      new Response(parts.metrics.text(context, parts.feeds.followers), {
        headers: { "content-type": `${TYPE}; version=0.0.4; charset=utf-8` },
      }),
  },
];
