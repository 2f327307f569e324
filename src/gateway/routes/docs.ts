import style from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import bundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import { closed } from "../../protocol/common.ts";
import { embeddedResponse } from "../embedded.ts";
import type { GatewayRoute } from "./route.ts";

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>LightFlow API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });\n`;

/** Everything comes from here: the page works without any other network. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const file = (id: string, path: string, type: string, body: GatewayRoute["handle"]): GatewayRoute => ({
  id,
  name: path,
  scope: "public",
  summary: path === "/docs" ? "The API as a page to read and to try" : `A part of /docs`,
  method: "GET",
  path,
  input: closed({}),
  answers: [{ status: 200, about: "the file", type }],
  handle: body,
});

const headersOf = (type: string) => ({
  "content-type": `${type}; charset=utf-8`,
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
});

const written = (id: string, path: string, type: string, text: string): GatewayRoute =>
  file(id, path, type, () => new Response(text, { headers: headersOf(type) }));

const embedded = (id: string, path: string, type: string, from: string): GatewayRoute =>
  file(id, path, type, ({ request }) => embeddedResponse(from, request, headersOf(type)));

/** The API page. Its scripts stand in the executable. */
export const docsRoutes: readonly GatewayRoute[] = [
  written("getDocs", "/docs", "text/html", PAGE),
  written("getDocsStart", "/docs/start.js", "text/javascript", START),
  embedded("getDocsScript", "/docs/swagger-ui.js", "text/javascript", bundle),
  embedded("getDocsStyle", "/docs/swagger-ui.css", "text/css", style),
];
