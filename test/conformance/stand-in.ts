import { allowAll } from "../../src/calls/index.ts";
import type { HostCalls } from "../../src/host/host.ts";

/** One pet of the store that the kit talks to; examples go on with its `petId`. */
const pet = (id: number) => ({
  id,
  petId: id,
  name: `pet ${id}`,
  status: "available",
  category: { id: 1, name: "dogs" },
});

const SWAGGER = {
  swagger: "2.0",
  info: { title: "Petstore", version: "1.0.0" },
  host: "petstore.swagger.io",
  basePath: "/v2",
  schemes: ["https"],
  paths: {
    "/pet/findByStatus": {
      get: {
        operationId: "findPetsByStatus",
        produces: ["application/json"],
        parameters: [
          {
            name: "status",
            in: "query",
            type: "array",
            items: { type: "string" },
            collectionFormat: "multi",
          },
        ],
        responses: { "200": { description: "pets" } },
      },
    },
    "/pet/{petId}": {
      get: {
        operationId: "getPetById",
        produces: ["application/json"],
        parameters: [{ name: "petId", in: "path", required: true, type: "integer" }],
        responses: { "200": { description: "a pet" } },
      },
    },
  },
};

/** The two hosts of the conformance kit, as far as its scenarios and the examples ask them. */
export function answer(host: string, path: string, headers: Headers): Response {
  const url = new URL(path, `https://${host}`);
  if (host === "petstore.swagger.io") {
    if (url.pathname === "/v2/swagger.json") return Response.json(SWAGGER);
    if (url.pathname === "/v2/pet/findByStatus") return Response.json([pet(1), pet(2)]);
    const id = /^\/v2\/pet\/(\d+)$/.exec(url.pathname)?.[1];
    if (id !== undefined) return Response.json(pet(Number(id)));
  }
  if (host === "httpbin.org") {
    const [, name, password] = /^\/basic-auth\/([^/]+)\/([^/]+)$/.exec(url.pathname) ?? [];
    if (headers.get("authorization") === `Basic ${btoa(`${name}:${password}`)}`)
      return Response.json({ authenticated: true, user: name });
    return new Response(null, { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } });
  }
  if (url.pathname.endsWith("/functions/log/1.0.0/function.yaml"))
    return new Response("set: { logged: '${ .message }' }\n");
  if (host === "swapi.dev" && url.pathname.startsWith("/api/people/"))
    return Response.json({ name: "Luke", homeworld: "https://swapi.dev/api/planets/1/" });
  if (host === "swapi.dev") return Response.json({ name: "Tatooine" });
  return Response.json({ code: 404, type: "unknown" }, { status: 404 });
}

/** Calls that reach the stand-in, whatever address they name; nothing leaves this process. */
export function standIn(respond: typeof answer = answer): { calls: HostCalls; seen: string[] } {
  const seen: string[] = [];
  const send = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(String(input));
    const headers = new Headers(init?.headers);
    // The connection goes to the address that was checked; the name stands in the header.
    const host = headers.get("host") ?? url.host;
    seen.push(`${init?.method ?? "GET"} ${host}${url.pathname}${url.search}`);
    return respond(host, `${url.pathname}${url.search}`, headers);
  };
  return {
    seen,
    calls: {
      fetch: send as typeof fetch,
      resolveHost: async () => ["192.0.2.1"],
      policy: { ...allowAll, processes: false },
    },
  };
}
