import { afterAll, expect, test } from "bun:test";
import { LIMITS } from "../../base/limits.ts";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";

const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  routes: {
    "/echo": async (request) =>
      Response.json({
        method: request.method,
        query: new URL(request.url).search,
        headers: Object.fromEntries(request.headers),
        body: await request.text(),
      }),
    "/bytes": async (request) => new Response(new Uint8Array(await request.arrayBuffer())),
    "/pet/:id": (request) => Response.json({ id: request.params.id }),
    "/status/:code": (request) => new Response("secret page", { status: Number(request.params.code) }),
    "/text": () => new Response("héllo", { headers: { "content-type": "text/plain; charset=utf-8" } }),
    "/latin": () =>
      new Response(new Uint8Array([0x68, 0xe9]), {
        headers: { "content-type": "text/plain; charset=iso-8859-1" },
      }),
    "/form": () =>
      new Response("a=1&a=2&b=x+y", { headers: { "content-type": "application/x-www-form-urlencoded" } }),
    "/problem": () => new Response("{", { headers: { "content-type": "application/problem+json" } }),
    "/png": () => new Response(new Uint8Array([137, 80]), { headers: { "content-type": "image/png" } }),
    "/empty": () => new Response(null, { status: 204 }),
    "/large": () => new Response("x".repeat(LIMITS.callResponseBytes + 1)),
    "/bomb": () =>
      new Response(Bun.gzipSync(Buffer.alloc(64 * 1024 * 1024)), { headers: { "content-encoding": "gzip" } }),
    "/endless": () =>
      new Response(
        new ReadableStream({
          async pull(controller) {
            controller.enqueue(Buffer.alloc(64 * 1024));
            await Bun.sleep(0);
          },
        }),
      ),
    "/silent": () => new Promise<Response>(() => {}),
    "/to/:code/:where": (request) =>
      new Response(null, {
        status: Number(request.params.code),
        headers: { location: decodeURIComponent(request.params.where) },
      }),
    "/loop": () => new Response(null, { status: 302, headers: { location: "/loop" } }),
    "/unchanged": () => new Response(null, { status: 304 }),
  },
});
const other = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) =>
    Response.json({ headers: Object.fromEntries(request.headers), body: await request.text() }),
});
/** Answers with fewer bytes than it announced. */
const cutter = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, data) {
      const isChunked = data.toString().includes("/chunked");
      socket.write(
        isChunked
          ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
          : "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
      );
      setTimeout(() => socket.terminate(), 20);
    },
  },
});
afterAll(async () => {
  cutter.stop(true);
  await Promise.all([server.stop(true), other.stop(true)]);
});

const at = (path: string) => `http://127.0.0.1:${server.port}${path}`;
const http = (args: Record<string, unknown>) =>
  testRequest("http", { method: "get", ...args } as Parameters<typeof testRequest>[1]);
const call = (args: Record<string, unknown>) => executeCall(http(args), testContext());
const failed = (args: Record<string, unknown>) => errorOf(http(args), testContext());

interface Echo {
  method: string;
  query: string;
  headers: Record<string, string>;
  body: string;
}

test("method, headers, query and the expanded address arrive", async () => {
  const echo = (await call({
    method: "delete",
    endpoint: { uri: `http://127.0.0.1:${server.port}/{where}?fixed=1` },
    uriVariables: { where: "echo" },
    headers: { "X-One": "1", "X-Number": 5, "X-None": null },
    query: { q: "a b&c", list: ["x", "y"], flag: true, none: null },
  })) as unknown as Echo;
  expect(echo.method).toBe("DELETE");
  expect(echo.query).toBe("?fixed=1&q=a+b%26c&list=x&list=y&flag=true");
  expect(echo.headers).toMatchObject({ "x-one": "1", "x-number": "5" });
  expect(echo.headers["x-none"]).toBeUndefined();
});

test("bodies go out as their media type wants them", async () => {
  const sent = async (body: unknown, type?: string) => {
    const headers = type === undefined ? {} : { "Content-Type": type };
    const echo = (await call({ method: "POST", endpoint: at("/echo"), headers, body })) as unknown as Echo;
    return [echo.headers["content-type"], echo.body];
  };
  expect(await sent({ a: [1] })).toEqual(["application/json", '{"a":[1]}']);
  expect(await sent("plain")).toEqual(["text/plain;charset=utf-8", "plain"]);
  expect(await sent('{"a":1}', "application/json")).toEqual(["application/json", '{"a":1}']);
  expect(await sent({ a: 1 }, "application/vnd.x+json")).toEqual(["application/vnd.x+json", '{"a":1}']);
  expect(await sent({ a: "x y", b: [1, 2] }, "application/x-www-form-urlencoded")).toEqual([
    "application/x-www-form-urlencoded",
    "a=x+y&b=1&b=2",
  ]);
  expect(await sent("<a/>", "application/xml")).toEqual(["application/xml", "<a/>"]);
  expect(
    await call({
      method: "PUT",
      endpoint: at("/bytes"),
      headers: { "content-type": "application/octet-stream" },
      body: "AP8Q",
      output: "raw",
    }),
  ).toBe("AP8Q");
  const wrong = { method: "PUT", endpoint: at("/bytes"), headers: { "content-type": "image/png" } };
  expect((await failed({ ...wrong, body: "not base64!" })).type).toBe("configuration");
  expect((await failed({ ...wrong, body: { a: 1 } })).type).toBe("configuration");
  expect((await failed({ method: "GET", endpoint: at("/echo"), body: {} })).type).toBe("configuration");
});

test("content is read by its media type", async () => {
  expect(await call({ endpoint: at("/pet/7") })).toEqual({ id: "7" });
  expect(await call({ endpoint: at("/text") })).toBe("héllo");
  expect(await call({ endpoint: at("/latin") })).toBe("hé");
  expect(await call({ endpoint: at("/form") })).toEqual({ a: ["1", "2"], b: "x y" });
  expect(await call({ endpoint: at("/png") })).toBe("iVA=");
  expect(await call({ endpoint: at("/empty") })).toBeNull();
  expect((await failed({ endpoint: at("/problem") })).detail).toContain("not valid JSON");
});

test("the outputs raw and response, without repeating a credential", async () => {
  expect(await call({ endpoint: at("/text"), output: "raw" })).toBe(Buffer.from("héllo").toString("base64"));
  const response = await call({
    endpoint: at("/pet/7"),
    output: "response",
    headers: { Authorization: "Bearer hidden", "X-A": "1" },
  });
  expect(response).toMatchObject({
    request: { method: "GET", uri: at("/pet/7"), headers: { "x-a": "1", authorization: "***" } },
    statusCode: 200,
    content: { id: "7" },
  });
});

test("another status than 2xx is a communication error with that status", async () => {
  for (const code of [300, 400, 404, 409, 500, 503]) {
    const error = await failed({ endpoint: at(`/status/${code}`) });
    expect(error).toMatchObject({ type: "communication", status: code, sent: "none" });
    expect(error.detail).not.toContain("secret page");
  }
  const write = await failed({ method: "post", endpoint: at("/status/500"), body: {} });
  expect(write).toMatchObject({ status: 500, sent: "possible" });
});

test("a redirect is an error, or followed when asked for", async () => {
  const to = (code: number, where: string) => at(`/to/${code}/${encodeURIComponent(where)}`);
  expect(await failed({ endpoint: to(302, "/echo") })).toMatchObject({ type: "communication", status: 302 });
  const echo = async (code: number, method: string) =>
    (await call({
      method,
      endpoint: to(code, "/echo?x=1"),
      redirect: true,
      headers: { "x-mine": "1" },
      ...(method === "GET" ? {} : { body: { a: 1 } }),
    })) as unknown as Echo;
  expect(await echo(302, "GET")).toMatchObject({ method: "GET", query: "?x=1", headers: { "x-mine": "1" } });
  expect(await echo(303, "POST")).toMatchObject({ method: "GET", body: "" });
  expect(await echo(302, "POST")).toMatchObject({ method: "GET", body: "" });
  expect(await echo(307, "PUT")).toMatchObject({ method: "PUT", body: '{"a":1}' });
  expect(await call({ endpoint: at("/unchanged"), redirect: true })).toBeNull();
  expect((await failed({ endpoint: at("/loop"), redirect: true })).detail).toContain("redirects");
});

test("another origin gets neither credentials nor bodies", async () => {
  const elsewhere = `http://127.0.0.1:${other.port}/`;
  const to = (code: number) => at(`/to/${code}/${encodeURIComponent(elsewhere)}`);
  const request = {
    ...http({ endpoint: to(302), redirect: true, headers: { "X-Api-Key": "k", Accept: "a/b" } }),
    authentication: { bearer: { token: "hidden" } },
  };
  const seen = (await executeCall(request, testContext())) as unknown as Echo;
  expect(seen.headers).toMatchObject({ accept: "a/b", host: `127.0.0.1:${other.port}` });
  expect(seen.headers["authorization"]).toBeUndefined();
  expect(seen.headers["x-api-key"]).toBeUndefined();
  const write = await failed({ method: "post", endpoint: to(307), redirect: true, body: { secret: 1 } });
  expect(write.detail).toContain("not sent to another origin");
  const plain = await failed({
    endpoint: at(`/to/302/${encodeURIComponent("file:///etc/passwd")}`),
    redirect: true,
  });
  expect(plain.type).toBe("communication");
});

test("an answer over the limit is given up, packed or endless", async () => {
  for (const path of ["/large", "/bomb", "/endless"])
    expect((await failed({ endpoint: at(path) })).detail).toContain("over 1048576 bytes");
});

test("an answer that breaks off is an error, never half a value", async () => {
  for (const path of ["/length", "/chunked"]) {
    const error = await failed({ endpoint: `http://127.0.0.1:${cutter.port}${path}` });
    expect(error).toMatchObject({ type: "communication", sent: "none" });
  }
  const write = await failed({
    method: "POST",
    endpoint: `http://127.0.0.1:${cutter.port}/length`,
    body: {},
  });
  expect(write.sent).toBe("possible");
});

test("a write is sent once, also on a connection that breaks after it was used before", async () => {
  for (const method of ["POST", "PATCH", "PUT", "DELETE"]) {
    let requests = 0;
    const breaker = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, data) {
          requests += data.toString().match(/ HTTP\/1\.1\r\n/g)?.length ?? 0;
          if (requests === 1) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
          else socket.end();
        },
      },
    });
    const args = { method, endpoint: `http://127.0.0.1:${breaker.port}/`, body: { a: 1 } };
    await call(args);
    expect(await failed(args)).toMatchObject({ type: "communication", sent: "possible" });
    expect([method, requests]).toEqual([method, 2]);
    breaker.stop(true);
  }
});

test("a late answer is a timeout, a cancelled call ends, and both say what may have happened", async () => {
  const late = (method: string) =>
    errorOf({ ...http({ method, endpoint: at("/silent") }), timeoutMs: 50 }, testContext());
  expect(await late("GET")).toMatchObject({ type: "timeout", status: 408, sent: "none" });
  expect(await late("POST")).toMatchObject({ type: "timeout", status: 408, sent: "possible" });
  const stop = new AbortController();
  const cancelled = errorOf(
    http({ method: "POST", endpoint: at("/silent") }),
    testContext({ signal: stop.signal }),
  );
  setTimeout(() => stop.abort(), 30);
  expect(await cancelled).toMatchObject({ type: "communication", detail: "the call was cancelled" });
});

test("a server that is not there was not reached", async () => {
  const error = await failed({ method: "POST", endpoint: "http://127.0.0.1:1/", body: {} });
  expect(error).toMatchObject({ type: "communication", sent: "none" });
});

test("writes carry the idempotency key of the attempt unless the document has its own", async () => {
  const echo = async (method: string, headers = {}) =>
    ((await call({ method, endpoint: at("/echo"), headers })) as unknown as Echo).headers["idempotency-key"];
  expect(await echo("POST")).toBe("attempt-1");
  expect(await echo("POST", { "Idempotency-Key": "mine" })).toBe("mine");
  expect(await echo("GET")).toBeUndefined();
});

test("what a document may not send is refused before anything leaves", async () => {
  for (const args of [
    { endpoint: at("/echo"), headers: { Host: "evil.test" } },
    { endpoint: at("/echo"), headers: { "Content-Length": "3" } },
    { endpoint: at("/echo"), headers: { "X-A": "1\r\nX-B: hidden" } },
    { endpoint: at("/echo"), headers: { "X A": "1" } },
    { endpoint: at("/echo"), method: "TRACE" },
    { endpoint: at("/echo"), method: "GET / HTTP/1.1\r\n" },
    { endpoint: "/relative" },
    { endpoint: at("/pet/{id}") },
    { endpoint: at("/pet/{id}"), uriVariables: { id: ".." } },
    { endpoint: at("/pet{/list*}"), uriVariables: { list: ["a", ".", "b"] } },
    { endpoint: `ws://127.0.0.1:${server.port}/` },
    { endpoint: at("/echo"), output: "other" },
    { endpoint: at("/echo"), query: { a: { b: 1 } } },
  ]) {
    const error = await failed(args);
    expect([args, error.type, error.sent]).toEqual([args, "configuration", "none"]);
    expect(error.detail).not.toContain("hidden");
  }
});
