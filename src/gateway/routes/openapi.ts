import document from "../../../openapi/lightflow.yaml" with { type: "file" };
import { closed } from "../../protocol/common.ts";
import { embeddedResponse, embeddedText } from "../embedded.ts";
import type { GatewayRoute } from "./route.ts";

let json: Promise<string> | undefined;

/** The committed OpenAPI document: the test that compares it with the routes makes it theirs. */
export const openapiRoutes: readonly GatewayRoute[] = [
  {
    id: "getOpenApiJson",
    name: "openapi.json",
    scope: "public",
    summary: "This document as JSON",
    method: "GET",
    path: "/openapi.json",
    input: closed({}),
    answers: [{ status: 200, about: "OpenAPI 3.1", type: "application/json" }],
    async handle() {
      json ??= embeddedText(document).then((text) => JSON.stringify(Bun.YAML.parse(text)));
      return new Response(await json, { headers: { "content-type": "application/json" } });
    },
  },
  {
    id: "getOpenApiYaml",
    name: "openapi.yaml",
    scope: "public",
    summary: "This document as YAML",
    method: "GET",
    path: "/openapi.yaml",
    input: closed({}),
    answers: [{ status: 200, about: "OpenAPI 3.1", type: "application/yaml" }],
    handle: ({ request }) =>
      embeddedResponse(document, request, { "content-type": "application/yaml; charset=utf-8" }),
  },
];
