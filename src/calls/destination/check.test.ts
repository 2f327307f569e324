import { expect, test } from "bun:test";
import { namesOf } from "../testing/context.ts";
import { checkDestination } from "./check.ts";
import { allowAll, type DestinationPolicy, denyPrivate, destinationPolicy } from "./policy.ts";

const NAMES = namesOf({
  "public.test": ["8.8.8.8"],
  "inner.test": ["10.0.0.5"],
  "a.inner.test": ["10.0.0.5"],
  "mixed.test": ["8.8.8.8", "127.0.0.1"],
  "mapped.test": ["::ffff:10.0.0.1"],
  "odd.test": ["0x7f000001"],
  localhost: ["127.0.0.1", "::1"],
});

const check = (url: string, policy: DestinationPolicy) =>
  checkDestination(new URL(url), { policy, resolveHost: NAMES }).then(
    ({ addresses }) => addresses ?? "any",
    (error: { type?: string }) => error.type ?? String(error),
  );

test("X.3: every notation of a private address is refused", async () => {
  for (const host of [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "10.0.0.1",
    "169.254.169.254",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[fd00::1]",
    "[fe80::1]",
    "0.0.0.0",
    "0",
    "127.0.0.1.",
    "①②⑦.0.0.1",
    "localhost",
    "localhost.",
    "inner.test",
    "mixed.test",
    "mapped.test",
    "odd.test",
  ])
    for (const scheme of ["http", "https", "ws", "grpc"])
      expect([host, await check(`${scheme}://${host}:8080/`, denyPrivate)]).toEqual([host, "authorization"]);
});

test("a public name comes back with the addresses to connect to", async () => {
  expect(await check("https://public.test/x", denyPrivate)).toEqual(["8.8.8.8"]);
  expect(await check("https://8.8.4.4/x", denyPrivate)).toEqual(["8.8.4.4"]);
  expect(await check("https://missing.test/x", denyPrivate)).toBe("communication");
});

test("exceptions admit a name, all names below one, a range, and each with a port", async () => {
  const admits = async (pattern: string, url: string) =>
    (await check(url, destinationPolicy({ allow: [pattern] }))) !== "authorization";
  expect(await admits("inner.test", "http://inner.test/")).toBe(true);
  expect(await admits("INNER.test", "http://Inner.TEST/")).toBe(true);
  expect(await admits("inner.test:81", "http://inner.test/")).toBe(false);
  expect(await admits("inner.test:80", "http://inner.test/")).toBe(true);
  expect(await admits("*.inner.test", "http://a.inner.test/")).toBe(true);
  expect(await admits("*.inner.test", "http://inner.test/")).toBe(false);
  expect(await admits("10.0.0.0/24", "http://inner.test/")).toBe(true);
  expect(await admits("10.0.0.0/24:8080", "http://inner.test:8080/")).toBe(true);
  expect(await admits("10.0.1.0/24", "http://inner.test/")).toBe(false);
  expect(await admits("10.0.0.0/24", "http://mapped.test/")).toBe(true);
  expect(await admits("[::1]:8080", "http://[::1]:8080/")).toBe(true);
  expect(await admits("10.0.0.5", "http://localhost/")).toBe(false);
});

test("what is denied stays denied, and a closed list admits nothing else", async () => {
  const deny = { ...allowAll, deny: ["169.254.0.0/16", "public.test"] };
  expect(await check("http://169.254.169.254/", deny)).toBe("authorization");
  expect(await check("http://[::ffff:169.254.169.254]/", deny)).toBe("authorization");
  expect(await check("http://public.test/", deny)).toBe("authorization");
  expect(await check("http://inner.test/", deny)).toEqual(["10.0.0.5"]);
  const only = { ...denyPrivate, only: ["public.test", "inner.test"] };
  expect(await check("http://public.test/", only)).toEqual(["8.8.8.8"]);
  expect(await check("http://8.8.8.8/", only)).toBe("authorization");
  expect(await check("http://inner.test/", only)).toBe("authorization");
});

test("schemes, ports and credentials in the address are checked whatever the host", async () => {
  expect(await check("file:///etc/passwd", allowAll)).toBe("authorization");
  expect(await check("gopher://public.test/", allowAll)).toBe("authorization");
  expect(await check("http://public.test:22/", { ...allowAll, ports: [80, 443] })).toBe("authorization");
  expect(await check("https://public.test/", { ...allowAll, ports: [80, 443] })).toBe("any");
  expect(await check("http://me:secret@public.test/", allowAll)).toBe("configuration");
});

test("every host can be denied at once, and one that is private elsewhere is named before its name is looked up", async () => {
  const every = destinationPolicy({ privateAddresses: true, deny: ["*"] });
  expect(await check("http://public.test/", every)).toBe("authorization");
  expect(await check("http://93.184.216.34/", every)).toBe("authorization");
  const elsewhere = destinationPolicy({
    privateAddresses: true,
    elsewhere: ["*.unknown.corp", "10.1.0.0/16"],
  });
  await expect(check("http://db.unknown.corp/", elsewhere)).resolves.toBe("authorization");
  expect(await check("http://10.1.2.3/", elsewhere)).toBe("authorization");
  expect(await check("http://public.test/", elsewhere)).toBe("any");
});

test("a pattern that is not understood is refused, not skipped", () => {
  for (const pattern of ["", "a*b.test", "10.0.0.0/40", "http://x.test", "x.test:", "x.test:port", "[::1"])
    expect(() => destinationPolicy({ deny: [pattern] })).toThrow("not a pattern");
});
