import { afterAll, beforeEach, expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { ManualClock } from "../../base/clock.ts";
import type { JsonObject } from "../../base/json.ts";
import { denyPrivate } from "../destination/policy.ts";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";
import { readClaims } from "./jwt.ts";

interface Asked {
  headers: Headers;
  fields: Record<string, string | string[]>;
}
let asked: Asked[] = [];
let answer: JsonObject = {};
let status = 200;
let discovery: JsonObject = {};
let refused = new Set<string>();
let count = 0;

beforeEach(() => {
  asked = [];
  answer = { token_type: "Bearer", expires_in: 3600 };
  status = 200;
  discovery = { issuer: authority, token_endpoint: `${authority}/oauth2/token` };
  refused = new Set();
  count = 0;
});

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/realm/oauth2/token": async (request) => {
      const text = await request.text();
      const isJson = request.headers.get("content-type") === "application/json";
      const form = new URLSearchParams(text);
      const fields = isJson
        ? JSON.parse(text)
        : Object.fromEntries(
            [...form.keys()].map((key) => [
              key,
              form.getAll(key).length > 1 ? form.getAll(key) : form.get(key),
            ]),
          );
      asked.push({ headers: request.headers, fields });
      await Bun.sleep(5);
      return Response.json({ access_token: `token-${++count}`, ...answer }, { status });
    },
    "/realm/.well-known/openid-configuration": () => Response.json(discovery),
    "/api": (request) => {
      const given = request.headers.get("authorization") ?? "";
      if (refused.has(given)) return new Response("", { status: 401 });
      return Response.json(given);
    },
  },
});
const authority = `http://127.0.0.1:${server.port}/realm`;
afterAll(() => server.stop(true));

const CLIENT = { id: "me", secret: "hidden-secret" };
const request = (properties: JsonObject, scheme = "oauth2") => ({
  ...testRequest("http", { method: "get", endpoint: `http://127.0.0.1:${server.port}/api` }),
  authentication: { [scheme]: { authority, grant: "client_credentials", client: CLIENT, ...properties } },
});
const fieldsOf = async (properties: JsonObject, scheme?: string) => {
  await executeCall(request(properties, scheme), testContext());
  return asked.at(-1)!;
};

test("each grant sends its fields", async () => {
  expect((await fieldsOf({ scopes: ["a", "b"], audiences: ["x", "y"] })).fields).toEqual({
    grant_type: "client_credentials",
    client_id: "me",
    client_secret: "hidden-secret",
    scope: "a b",
    audience: ["x", "y"],
  });
  expect((await fieldsOf({ grant: "password", username: "u", password: "p w" })).fields).toMatchObject({
    grant_type: "password",
    username: "u",
    password: "p w",
  });
  const subject = { token: "given", type: "urn:ietf:params:oauth:token-type:jwt" };
  expect((await fieldsOf({ grant: "refresh_token", subject })).fields).toMatchObject({
    grant_type: "refresh_token",
    refresh_token: "given",
  });
  expect(
    (await fieldsOf({ grant: "authorization_code", code: "c", redirectUri: "http://x/" })).fields,
  ).toMatchObject({
    grant_type: "authorization_code",
    code: "c",
    redirect_uri: "http://x/",
  });
  const exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
  expect(
    (await fieldsOf({ grant: exchange, subject, actor: { token: "a", type: "t" } })).fields,
  ).toMatchObject({
    grant_type: exchange,
    subject_token: "given",
    subject_token_type: subject.type,
    actor_token: "a",
    actor_token_type: "t",
  });
});

test("each way of a client to prove itself", async () => {
  const as = (client: JsonObject) => fieldsOf({ client });
  expect((await as({ id: "me", authentication: "none" })).fields).toMatchObject({ client_id: "me" });
  const basic = await as({ id: "m:e", secret: "s p%", authentication: "client_secret_basic" });
  expect(basic.headers.get("authorization")).toBe(`Basic ${Buffer.from("m%3Ae:s+p%25").toString("base64")}`);
  expect(basic.fields["client_secret"]).toBeUndefined();

  const shared = (await as({ ...CLIENT, authentication: "client_secret_jwt" })).fields;
  expect(shared["client_assertion_type"]).toBe("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
  const assertion = String(shared["client_assertion"]);
  expect(readClaims(assertion)).toMatchObject({ iss: "me", sub: "me", aud: `${authority}/oauth2/token` });
  const cut = assertion.lastIndexOf(".");
  const expected = new Bun.CryptoHasher("sha256", CLIENT.secret)
    .update(assertion.slice(0, cut))
    .digest("base64url");
  expect(assertion.slice(cut + 1)).toBe(expected);

  for (const pair of [
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
    generateKeyPairSync("ec", { namedCurve: "P-256" }),
    generateKeyPairSync("ed25519"),
  ]) {
    const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const signed = (await as({ id: "me", assertion: pem, authentication: "private_key_jwt" })).fields;
    const [head, body, signature] = String(signed["client_assertion"]).split(".");
    const key = createPublicKey(pair.publicKey.export({ type: "spki", format: "pem" }));
    const hash = key.asymmetricKeyType === "ed25519" ? null : "sha256";
    const isRight = verify(
      hash,
      Buffer.from(`${head}.${body}`),
      { key, dsaEncoding: "ieee-p1363" },
      Buffer.from(signature!, "base64url"),
    );
    expect(isRight).toBe(true);
  }
  const ready = await as({ id: "me", assertion: "a.b.c", authentication: "private_key_jwt" });
  expect(ready.fields["client_assertion"]).toBe("a.b.c");
});

test("a request can be JSON", async () => {
  const { headers, fields } = await fieldsOf({ request: { encoding: "application/json" } });
  expect(headers.get("content-type")).toBe("application/json");
  expect(fields).toMatchObject({ grant_type: "client_credentials", client_id: "me" });
});

test("a token serves many calls, also at the same time, and is renewed before it ends", async () => {
  const clock = new ManualClock();
  const context = testContext({ clock });
  answer["refresh_token"] = "again";
  const results = await Promise.all(Array.from({ length: 5 }, () => executeCall(request({}), context)));
  expect(new Set(results)).toEqual(new Set(["Bearer token-1"]));
  clock.advance(3_500_000);
  expect(await executeCall(request({}), context)).toBe("Bearer token-1");
  clock.advance(80_000);
  expect(await executeCall(request({}), context)).toBe("Bearer token-2");
  expect(asked.map(({ fields }) => fields["grant_type"])).toEqual(["client_credentials", "refresh_token"]);
  expect(asked[1]!.fields["refresh_token"]).toBe("again");
  expect(await executeCall(request({ scopes: ["other"] }), context)).toBe("Bearer token-3");
});

test("a token that the service refuses is replaced once", async () => {
  const context = testContext();
  refused.add("Bearer token-1");
  expect(await executeCall(request({}), context)).toBe("Bearer token-2");
  refused.add("Bearer token-2").add("Bearer token-3").add("Bearer token-4");
  expect(await errorOf(request({}), context)).toMatchObject({ type: "communication", status: 401 });
  expect(count).toBe(3);
});

test("a refusal of the token endpoint is an authentication error without any secret in it", async () => {
  status = 400;
  answer = { error: "invalid_client", error_description: "hidden-secret is wrong" };
  const error = await errorOf(request({}), testContext());
  expect(error).toMatchObject({ type: "authentication", status: 401, sent: "none" });
  expect(error.detail).toContain("(invalid_client)");
  expect(error.detail).not.toContain("hidden-secret");
  answer = { error: "hidden_secret" };
  expect(
    (await errorOf(request({ client: { id: "me", secret: "hidden_secret" } }), testContext())).detail,
  ).toContain("(***)");
  status = 503;
  expect(await errorOf(request({}), testContext())).toMatchObject({ type: "communication", status: 503 });
  status = 200;
  answer = { token_type: "mac" };
  expect(await errorOf(request({}), testContext())).toMatchObject({ type: "authentication" });
});

test("the token endpoint is behind the destination policy too", async () => {
  const policy = { ...denyPrivate, allow: ["127.0.0.1:1"] };
  expect(await errorOf(request({}), testContext({ policy }))).toMatchObject({ type: "authorization" });
});

test("missing properties are named", async () => {
  for (const properties of <JsonObject[]>[
    { grant: "password" },
    { grant: "refresh_token" },
    { grant: "authorization_code" },
    { grant: "other" },
    { client: { id: "me", authentication: "client_secret_jwt" } },
    { client: { authentication: "none" } },
    { use: "secret" },
  ])
    expect(await errorOf(request(properties), testContext())).toMatchObject({ type: "configuration" });
});

const jwt = (claims: JsonObject) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

test("OpenID Connect finds its endpoint, and checks issuer and audience", async () => {
  answer["access_token"] = jwt({ iss: authority, aud: ["api"] });
  answer["id_token"] = jwt({ iss: authority, aud: "me", exp: 99_999_999_999 });
  expect((await fieldsOf({ audiences: ["api"] }, "oidc")).fields).toMatchObject({ audience: "api" });

  const wrong = (properties: JsonObject) => errorOf(request(properties, "oidc"), testContext());
  expect(await wrong({ audiences: ["other"] })).toMatchObject({ type: "authentication" });
  expect(await wrong({ issuers: ["https://other.test"] })).toMatchObject({ type: "authentication" });
  answer["id_token"] = jwt({ iss: authority, aud: "somebody" });
  expect((await wrong({})).detail).toContain("another client");
  answer["id_token"] = jwt({ iss: authority, aud: "me", exp: 1 });
  expect((await wrong({})).detail).toContain("expired");
  delete answer["id_token"];
  answer["access_token"] = jwt({ iss: "https://evil.test" });
  expect((await wrong({})).detail).toContain("another issuer");
  discovery["issuer"] = "https://evil.test";
  expect((await wrong({})).detail).toContain("issuer");
  discovery = { issuer: authority };
  expect((await wrong({})).detail).toContain("token endpoint");
});

test("basic and bearer, and policies that are not resolved", async () => {
  const as = (authentication: JsonObject) => ({ ...request({}), authentication });
  expect(await executeCall(as({ basic: { username: "ü", password: "p:w" } }), testContext())).toBe(
    `Basic ${Buffer.from("ü:p:w").toString("base64")}`,
  );
  expect(await executeCall(as({ bearer: { token: "t" } }), testContext())).toBe("Bearer t");
  for (const policy of <JsonObject[]>[
    { use: "name" },
    { basic: { use: "secret" } },
    { bearer: { token: "a\r\nb" } },
    { other: {} },
    { basic: { username: "a", password: "b" }, bearer: { token: "c" } },
  ])
    expect(await errorOf(as(policy), testContext())).toMatchObject({ type: "configuration" });
});

test("a password in the address is masked in errors", async () => {
  const error = await errorOf(
    {
      ...testRequest("http", { method: "get", endpoint: "http://hidden-password.invalid/" }),
      authentication: { basic: { username: "u", password: "hidden-password" } },
    },
    testContext(),
  );
  expect(error.detail).not.toContain("hidden-password");
});
