import { expect, test } from "bun:test";
import { connect } from "node:net";
import { gateway } from "../../test/support/gateway.ts";
import { sha256 } from "../base/canonical.ts";

test("bytes are handed in, named by their digest, and read back whole, in part, or not at all when they are known", async () => {
  const g = await gateway();
  const bytes = crypto.getRandomValues(new Uint8Array(70_000));
  const digest = sha256(bytes);
  const put = (query = "", body: Uint8Array = bytes, type = "application/octet-stream") =>
    g.fetch(`/artifacts${query}`, { method: "POST", body, headers: { "content-type": type } });
  const stored = await put("?name=r%C3%A9sum%C3%A9%22.bin");
  expect(stored.status).toBe(201);
  expect(stored.headers.get("location")).toBe(`/artifacts/${digest}`);
  expect(await stored.json()).toEqual({
    sha256: digest,
    size: 70_000,
    media_type: "application/octet-stream",
    name: 'résumé".bin',
  });
  expect((await put()).status).toBe(200);

  const whole = await g.fetch(`/artifacts/${digest}`);
  expect(new Uint8Array(await whole.arrayBuffer())).toEqual(bytes);
  expect(whole.headers.get("etag")).toBe(`"${digest}"`);
  expect(whole.headers.get("x-content-type-options")).toBe("nosniff");
  expect(whole.headers.get("content-disposition")).toBe(
    `attachment; filename="r_sum__.bin"; filename*=UTF-8''r%C3%A9sum%C3%A9%22.bin`,
  );
  const ranged = async (range: string, more: Record<string, string> = {}) => {
    const answer = await g.fetch(`/artifacts/${digest}`, { headers: { range, ...more } });
    return {
      status: answer.status,
      range: answer.headers.get("content-range"),
      bytes: new Uint8Array(await answer.arrayBuffer()),
    };
  };
  expect(await ranged("bytes=10-19")).toEqual({
    status: 206,
    range: "bytes 10-19/70000",
    bytes: bytes.slice(10, 20),
  });
  expect(await ranged("bytes=69990-")).toEqual({
    status: 206,
    range: "bytes 69990-69999/70000",
    bytes: bytes.slice(69_990),
  });
  expect(await ranged("bytes=-5")).toEqual({
    status: 206,
    range: "bytes 69995-69999/70000",
    bytes: bytes.slice(-5),
  });
  expect(await ranged("bytes=0-99999999")).toMatchObject({ status: 206, range: "bytes 0-69999/70000" });
  for (const range of ["bytes=70000-", "bytes=9-3", "bytes=-0"])
    expect(await ranged(range)).toMatchObject({ status: 416 });
  expect(await ranged("bytes=0-1,5-6")).toMatchObject({ status: 200 });
  expect(await ranged("bytes=0-1", { "if-range": '"other"' })).toMatchObject({ status: 200 });
  expect(
    (await g.fetch(`/artifacts/${digest}`, { headers: { "if-none-match": `W/"${digest}"` } })).status,
  ).toBe(304);
  const part = await g.json(`/artifacts/${digest}/content?offset=69999`);
  expect(part.body).toMatchObject({ offset: 69_999, size: 70_000, next_offset: null } as never);
});

test("what a browser would run is saved and not shown", async () => {
  const g = await gateway();
  const put = async (type: string, body: string) =>
    (
      (await (
        await g.fetch("/artifacts", { method: "POST", body, headers: { "content-type": type } })
      ).json()) as { sha256: string }
    ).sha256;
  const page = await g.fetch(`/artifacts/${await put("text/html", "<script>alert(1)</script>")}`);
  expect(page.headers.get("content-disposition")).toStartWith("attachment;");
  expect(page.headers.get("content-security-policy")).toContain("sandbox");
  const image = await g.fetch(`/artifacts/${await put("image/svg+xml", "<svg/>")}`);
  expect(image.headers.get("content-disposition")).toStartWith("attachment;");
  const text = await g.fetch(`/artifacts/${await put("text/plain", "hello")}`);
  expect(text.headers.get("content-disposition")).toStartWith("inline;");
  for (const name of ["a%2Fb", "..%2F..%2Fetc", "a%00b", ""]) {
    expect((await g.fetch(`/artifacts?name=${name}`, { method: "POST", body: "x" })).status).toBe(400);
  }
});

test("a digest that does not fit, another tenant's bytes and a body that breaks off leave nothing", async () => {
  const g = await gateway();
  const digest = sha256("mine");
  const wrong = await g.fetch(`/artifacts?sha256=${sha256("other")}`, { method: "POST", body: "mine" });
  expect(wrong.status).toBe(422);
  expect((await g.fetch(`/artifacts/${digest}`)).status).toBe(404);
  await g.fetch("/artifacts", { method: "POST", body: "mine" });
  const other = await g.token(["read"], "other");
  for (const path of ["", "/content", "/about"]) {
    expect((await g.fetch(`/artifacts/${digest}${path}`, { token: other })).status).toBe(404);
    expect((await g.fetch(`/artifacts/${digest}${path}`)).status).toBe(200);
  }
  const { hostname, port } = new URL(g.url);
  const socket = connect(Number(port), hostname);
  socket.write(`POST /artifacts HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 1000\r\n\r\npartial`);
  await Bun.sleep(50);
  socket.destroy();
  await Bun.sleep(100);
  expect((await g.fetch(`/artifacts/${sha256("partial")}`)).status).toBe(404);
  expect(g.host.context.artifacts.has(sha256("partial"))).toBe(false);
});
