import { afterAll, expect, test } from "bun:test";
import type { Json, JsonObject } from "../../base/json.ts";
import { denyPrivate } from "../destination/policy.ts";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";

interface Seen {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

let document: JsonObject | string = {};
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/docs/api")
      return new Response(typeof document === "string" ? document : JSON.stringify(document));
    return Response.json({
      method: request.method,
      path: url.pathname + url.search,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    });
  },
});
afterAll(() => server.stop(true));
const base = `http://127.0.0.1:${server.port}`;

const request = (operationId: string, parameters: JsonObject = {}, args: JsonObject = {}) =>
  testRequest("openapi", { document: { endpoint: `${base}/docs/api` }, operationId, parameters, ...args });
const call = async (...args: Parameters<typeof request>) =>
  (await executeCall(request(...args), testContext())) as unknown as Seen;

const V2: JsonObject = {
  swagger: "2.0",
  basePath: "/v2",
  paths: {
    "/pet/{petId}": {
      parameters: [{ name: "petId", in: "path", required: true, type: "integer" }],
      get: { operationId: "getPetById", produces: ["application/json"], security: [{ api_key: [] }] },
      post: {
        operationId: "updateForm",
        consumes: ["application/x-www-form-urlencoded"],
        parameters: [
          { name: "name", in: "formData", type: "string" },
          { name: "status", in: "formData", type: "string" },
        ],
      },
    },
    "/pet/{petId}/uploadImage": {
      post: {
        operationId: "uploadFile",
        consumes: ["multipart/form-data"],
        parameters: [
          { $ref: "#/parameters/pet~1Id" },
          { name: "note", in: "formData", type: "string" },
          { name: "file", in: "formData", type: "file" },
        ],
      },
    },
    "/pet": {
      put: {
        operationId: "updatePet",
        consumes: ["application/xml", "application/json"],
        parameters: [{ in: "body", name: "pet", required: true, schema: { $ref: "other.json#/Pet" } }],
      },
    },
    "/pet/findByStatus": {
      get: {
        operationId: "findPetsByStatus",
        parameters: [
          { name: "status", in: "query", required: true, type: "array", collectionFormat: "multi" },
          { name: "api_token", in: "header", type: "string" },
        ],
      },
    },
  },
  parameters: { "pet/Id": { name: "petId", in: "path", required: true, type: "integer" } },
  securityDefinitions: { api_key: { type: "apiKey", name: "X-Key", in: "header" } },
};

test("OpenAPI 2: path, query, header, form, file and body, beside the document's own host", async () => {
  document = V2;
  expect(await call("getPetById", { petId: 7 })).toMatchObject({ method: "GET", path: "/v2/pet/7" });
  expect(await call("findPetsByStatus", { status: ["a", "b c"], api_token: "t" })).toMatchObject({
    path: "/v2/pet/findByStatus?status=a&status=b%20c",
    headers: { api_token: "t" },
  });
  expect(await call("updateForm", { petId: 7, name: "Rex & co" })).toMatchObject({
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "name=Rex+%26+co",
  });
  const upload = await call("uploadFile", {
    petId: 7,
    note: "hi",
    file: Buffer.from("bytes!").toString("base64"),
  });
  expect(upload.headers["content-type"]).toStartWith("multipart/form-data; boundary=");
  expect(upload.body).toContain('name="file"; filename="file"');
  expect(upload.body).toContain("bytes!");
  expect(await call("updatePet", { pet: { id: 1 } })).toMatchObject({
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: '{"id":1}',
  });
});

const V3 = `
openapi: 3.1.0
servers:
  - url: "{scheme}://127.0.0.1:{port}/{version}/"
    variables:
      scheme: { default: http, enum: [http, https] }
      port: { default: "${server.port}" }
      version: { default: v3 }
paths:
  /things/{id}:
    servers: [{ url: /relative }]
    get:
      operationId: getThing
      parameters:
        - { name: id, in: path, required: true, style: label, schema: { type: string } }
        - { name: filter, in: query, style: deepObject, schema: { type: object } }
        - { name: session, in: cookie, schema: { type: string } }
        - { name: Authorization, in: header, schema: { type: string } }
  /plain/{id}/end:
    get:
      operationId: getPlain
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
  /things:
    post:
      operationId: createThing
      requestBody: { $ref: "#/components/requestBodies/Thing" }
      responses:
        "201": { content: { application/hal+json: {} } }
      security: [{ key: [] }]
  /forms:
    post:
      operationId: postForm
      requestBody:
        content:
          application/x-www-form-urlencoded: { schema: { type: object } }
      security: [{ keyInCookie: [] }]
  /header:
    get:
      operationId: openToAll
      security: [{ bearer: [] }]
components:
  requestBodies:
    Thing:
      required: true
      content:
        text/plain: {}
        application/json: { schema: { type: object } }
  securitySchemes:
    key: { type: apiKey, in: query, name: api_key }
    keyInCookie: { type: apiKey, in: cookie, name: sid }
    bearer: { type: http, scheme: bearer }
`;

test("OpenAPI 3.1 in YAML: servers, styles, bodies, accepted types", async () => {
  document = V3;
  expect(
    await call("getThing", { id: "a b", filter: { x: 1 }, session: "s;1", Authorization: "no" }),
  ).toMatchObject({
    path: "/relative/things/.a%20b?filter%5Bx%5D=1",
    headers: { cookie: "session=s%3B1" },
  });
  const created = await call("createThing", { body: { a: 1 } });
  expect(created).toMatchObject({ method: "POST", path: "/v3/things", body: '{"a":1}' });
  expect(created.headers["accept"]).toStartWith("application/hal+json");
  expect(await call("createThing", { name: "x", size: 2 })).toMatchObject({ body: '{"name":"x","size":2}' });
  expect(await call("postForm", { a: "1 2" })).toMatchObject({ body: "a=1+2" });
  document = V3.replace("3.1.0", "3.0.3");
  expect(await call("getThing", { id: "a" })).toMatchObject({ path: "/relative/things/.a" });
});

test("a token goes where the operation's security scheme wants it", async () => {
  document = V3;
  const as = async (operationId: string, parameters: JsonObject) =>
    (await executeCall(
      { ...request(operationId, parameters), authentication: { bearer: { token: "to ken" } } },
      testContext(),
    )) as unknown as Seen;
  const inQuery = await as("createThing", { body: {} });
  expect(inQuery.path).toBe("/v3/things?api_key=to+ken");
  expect(inQuery.headers["authorization"]).toBeUndefined();
  expect((await as("postForm", {})).headers["cookie"]).toBe("sid=to%20ken");
  expect((await as("openToAll", {})).headers["authorization"]).toBe("Bearer to ken");
  document = V2;
  expect((await as("getPetById", { petId: 1 })).headers["x-key"]).toBe("to ken");

  document = V3;
  const shown = await executeCall(
    {
      ...request("createThing", { body: {} }, { output: "response" }),
      authentication: { bearer: { token: "hidden-token" } },
    },
    testContext(),
  );
  expect(JSON.stringify((shown as JsonObject)["request"])).not.toContain("hidden-token");
});

test("wrong arguments and documents are refused before anything is sent", async () => {
  const type = async (operationId: string, parameters: JsonObject = {}) => {
    const error = await errorOf(request(operationId, parameters), testContext());
    expect(error.sent).toBe("none");
    return error.type;
  };
  document = V2;
  expect(await type("missing")).toBe("configuration");
  expect(await type("getPetById")).toBe("validation");
  expect(await type("getPetById", { petId: "x" })).toBe("validation");
  expect(await type("getPetById", { petId: 1, more: 1 })).toBe("validation");
  expect(await type("updatePet")).toBe("validation");
  document = V3;
  for (const id of ["", "..", "."]) expect([id, await type("getPlain", { id })]).toEqual([id, "validation"]);
  for (const broken of <Json[]>[
    "[1]",
    "{",
    "a: *x",
    { openapi: "4.0.0" },
    {
      openapi: "3.0.0",
      paths: { "/": { get: { operationId: "x", parameters: [{ $ref: "other.yaml#/x" }] } } },
    },
    { openapi: "3.0.0", paths: { "/": { $ref: "#/paths/~1" } } },
    { openapi: "3.0.0", servers: [{ url: "{where}" }], paths: { "/": { get: { operationId: "x" } } } },
    { openapi: "3.0.0", servers: [{ url: "ftp://x" }], paths: { "/": { get: { operationId: "x" } } } },
  ]) {
    document = broken as JsonObject | string;
    expect([broken, await type("x")]).toEqual([broken, "configuration"]);
  }
});

test("the server that a document names is behind the destination policy", async () => {
  document = V3;
  const error = await errorOf(request("postForm"), testContext({ policy: denyPrivate }));
  expect(error).toMatchObject({ type: "authorization", sent: "none" });
});
