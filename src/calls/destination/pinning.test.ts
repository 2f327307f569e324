import { afterAll, expect, test } from "bun:test";
import { executeCall } from "../execute.ts";
import { testCertificates } from "../testing/certificates.ts";
import { errorOf, namesOf, testContext, testRequest } from "../testing/context.ts";
import { denyPrivate } from "./policy.ts";

const certificates = testCertificates("pets.test", "shop.test");
const echo = (request: Request) =>
  Response.json({ host: request.headers.get("host"), path: new URL(request.url).pathname });
const plain = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => {
    const target = new URL(request.url).searchParams.get("to");
    return target === null
      ? echo(request)
      : new Response(null, { status: 302, headers: { location: target } });
  },
});
const secure = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  tls: Object.entries(certificates.of).map(([serverName, pair]) => ({ serverName, ...pair })),
  fetch: echo,
});
afterAll(() => Promise.all([plain.stop(true), secure.stop(true)]));

const get = (endpoint: string, args = {}) => testRequest("http", { method: "get", endpoint, ...args });

test("the name is resolved once, and the connection goes to that answer under the name", async () => {
  const asked: string[] = [];
  // The second answer is what an attacker's name server gives to whoever asks again.
  const resolveHost = async (name: string) => {
    asked.push(name);
    return asked.length === 1 ? ["127.0.0.1"] : ["127.0.0.9"];
  };
  const policy = { ...denyPrivate, allow: [`pets.test:${plain.port}`] };
  const value = await executeCall(
    get(`http://pets.test:${plain.port}/a`),
    testContext({ policy, resolveHost }),
  );
  expect(value).toEqual({ host: `pets.test:${plain.port}`, path: "/a" });
  expect(asked).toEqual(["pets.test"]);
});

test("a name that turns to a private address later is refused on its next use", async () => {
  const answers = [["8.8.8.8"], ["127.0.0.1"]];
  const resolveHost = async () => answers.shift() ?? [];
  const connected: string[] = [];
  const stub = async (input: string | URL | Request) => {
    connected.push(String(input));
    return Response.json(1);
  };
  const context = testContext({
    policy: denyPrivate,
    resolveHost,
    fetch: Object.assign(stub, { preconnect: fetch.preconnect }),
  });
  const url = `http://rebind.test:${plain.port}/a`;
  expect(await executeCall(get(url), context)).toBe(1);
  expect(await errorOf(get(url), context)).toMatchObject({ type: "authorization", sent: "none" });
  expect(connected).toEqual([`http://8.8.8.8:${plain.port}/a`]);
});

test("with TLS the certificate is checked against the name, not the address", async () => {
  const context = testContext({
    policy: { ...denyPrivate, allow: ["*.test"] },
    resolveHost: namesOf({
      "pets.test": ["127.0.0.1"],
      "shop.test": ["127.0.0.1"],
      "evil.test": ["127.0.0.1"],
    }),
    trust: certificates.ca,
  });
  for (const name of ["pets.test", "shop.test", "pets.test"])
    expect(await executeCall(get(`https://${name}:${secure.port}/b`), context)).toMatchObject({
      host: `${name}:${secure.port}`,
    });
  const wrong = await errorOf(get(`https://evil.test:${secure.port}/b`), context);
  expect(wrong).toMatchObject({ type: "communication", sent: "none" });
  expect(wrong.detail).toContain("TLS failed");
  const untrusted = testContext({ policy: context.policy, resolveHost: context.resolveHost });
  expect((await errorOf(get(`https://pets.test:${secure.port}/b`), untrusted)).detail).toContain(
    "TLS failed",
  );
});

test("a dead address is passed over for the next one", async () => {
  const context = testContext({
    policy: { ...denyPrivate, allow: ["pets.test"] },
    resolveHost: namesOf({ "pets.test": ["127.0.0.77", "127.0.0.1"] }),
  });
  expect(await executeCall(get(`http://pets.test:${plain.port}/c`), context)).toMatchObject({ path: "/c" });
});

test("each redirect is checked: to a private address, a private name, or away from TLS", async () => {
  const context = testContext({
    policy: { ...denyPrivate, allow: [`pets.test:${plain.port}`] },
    resolveHost: namesOf({ "pets.test": ["127.0.0.1"], "inner.test": ["127.0.0.1"] }),
  });
  for (const target of [
    `http://127.0.0.1:${plain.port}/`,
    `http://2130706433:${plain.port}/`,
    `http://[::ffff:127.0.0.1]:${plain.port}/`,
    `http://inner.test:${plain.port}/`,
    "http://169.254.169.254/latest/meta-data/",
    "//169.254.169.254/",
  ]) {
    const url = `http://pets.test:${plain.port}/?to=${encodeURIComponent(target)}`;
    const error = await errorOf(get(url, { redirect: true }), context);
    expect([target, error.type]).toEqual([target, "authorization"]);
  }
  const fine = `http://pets.test:${plain.port}/?to=%2Fnext`;
  expect(await executeCall(get(fine, { redirect: true }), context)).toMatchObject({ path: "/next" });
});
