import { afterAll, beforeEach, expect, test } from "bun:test";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";
import { parseChallenges } from "./challenge.ts";

const USER = "Mufasa";
const PASSWORD = 'Circle "Of" Life';
const REALM = "http-auth@example.org";
let algorithms = ["MD5"];
let nonce = "n1";
let isStale = false;
let qop: string | undefined = "auth, auth-int";
let seen: Record<string, string>[] = [];
let bodies: string[] = [];

beforeEach(() => {
  algorithms = ["MD5"];
  nonce = "n1";
  isStale = false;
  qop = "auth, auth-int";
  seen = [];
  bodies = [];
});

const hash = (algorithm: string, text: string) =>
  new Bun.CryptoHasher(algorithm.startsWith("MD5") ? "md5" : "sha256").update(text).digest("hex");

/** A server as RFC 7616 has it; every answer is recomputed here. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const given = parseChallenges(request.headers.get("authorization") ?? "")[0]?.parameters;
    bodies.push(await request.text());
    if (given !== undefined) {
      seen.push({ ...given });
      const algorithm = given["algorithm"] ?? "MD5";
      const url = new URL(request.url);
      let key = hash(algorithm, `${USER}:${REALM}:${PASSWORD}`);
      if (algorithm.endsWith("-sess")) key = hash(algorithm, `${key}:${given["nonce"]}:${given["cnonce"]}`);
      const asked = hash(algorithm, `${request.method}:${url.pathname}${url.search}`);
      const middle =
        given["qop"] === undefined
          ? given["nonce"]
          : `${given["nonce"]}:${given["nc"]}:${given["cnonce"]}:${given["qop"]}`;
      const isRight = given["response"] === hash(algorithm, `${key}:${middle}:${asked}`);
      if (isRight && given["nonce"] === nonce && given["opaque"] === "o") return Response.json("in");
    }
    const headers = new Headers();
    for (const algorithm of algorithms)
      headers.append(
        "www-authenticate",
        `Digest realm="${REALM}", ${qop === undefined ? "" : `qop="${qop}", `}algorithm=${algorithm}, nonce="${nonce}", opaque="o"${isStale ? ", stale=TRUE" : ""}`,
      );
    return new Response("", { status: 401, headers });
  },
});
afterAll(() => server.stop(true));

const request = (password = PASSWORD, method = "post") => ({
  ...testRequest("http", {
    method,
    endpoint: `http://127.0.0.1:${server.port}/dir/index.html?a=b`,
    body: { a: 1 },
  }),
  authentication: { digest: { username: USER, password } },
});

test("each algorithm is answered, and the strongest is chosen", async () => {
  for (const algorithm of ["MD5", "SHA-256", "MD5-sess", "SHA-256-sess"]) {
    algorithms = [algorithm];
    expect(await executeCall(request(), testContext())).toBe("in");
    expect(seen.at(-1)?.["algorithm"]).toBe(algorithm);
  }
  algorithms = ["MD5", "SHA-256"];
  await executeCall(request(), testContext());
  expect(seen.at(-1)?.["algorithm"]).toBe("SHA-256");
  qop = undefined;
  algorithms = ["MD5"];
  expect(await executeCall(request(), testContext())).toBe("in");
});

test("a nonce is used again with a growing count, and a stale one is replaced", async () => {
  const context = testContext();
  for (let i = 0; i < 3; i++) await executeCall(request(), context);
  expect(seen.map((fields) => fields["nc"])).toEqual(["00000001", "00000002", "00000003"]);
  expect(new Set(seen.map((fields) => fields["cnonce"])).size).toBe(3);
  expect(bodies.length).toBe(4);
  nonce = "n2";
  isStale = true;
  expect(await executeCall(request(), context)).toBe("in");
  expect(seen.at(-1)).toMatchObject({ nonce: "n2", nc: "00000001" });
});

test("a wrong password is refused once, without showing it", async () => {
  const error = await errorOf(request("hidden-password"), testContext());
  expect(error).toMatchObject({ type: "communication", status: 401 });
  expect(JSON.stringify({ ...error, message: error.message })).not.toContain("hidden-password");
  expect(seen.length).toBe(1);
});

test("a challenge that cannot be answered is an authentication error", async () => {
  qop = "auth-int";
  expect(await errorOf(request(), testContext())).toMatchObject({ type: "authentication" });
  qop = "auth";
  algorithms = ["SHA-512-256"];
  expect(await errorOf(request(), testContext())).toMatchObject({ type: "authentication" });
});

test("several challenges in one header are told apart", () => {
  expect(
    parseChallenges(
      'Basic realm="a, b", Digest realm="c\\"d", qop="auth,auth-int", nonce=x, Negotiate, Bearer abc==',
    ),
  ).toEqual([
    { scheme: "basic", parameters: { realm: "a, b" } },
    { scheme: "digest", parameters: { realm: 'c"d', qop: "auth,auth-int", nonce: "x" } },
    { scheme: "negotiate", parameters: {} },
    { scheme: "bearer", parameters: {} },
  ]);
});
