import { afterAll, expect, test } from "bun:test";
import { silentLog } from "../../base/log.ts";
import { toolFetch } from "./tool-fetch.ts";
import { openServer } from "./tool-server.ts";

const part = new TextEncoder().encode(`data: ${"x".repeat(1_000_000)}`);
let sent = 0;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: ({ url }) =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sent += part.length;
          controller.enqueue(part);
        },
      }),
      {
        headers: {
          "content-type": new URL(url).pathname === "/json" ? "application/json" : "text/event-stream",
        },
      },
    ),
});
afterAll(() => server.stop(true));

test("a server of tools whose answer never ends is given up long before it fills the memory", async () => {
  sent = 0;
  const tools = openServer(`http://127.0.0.1:${server.port}/json`, silentLog, () => {});
  await expect(tools.tools()).rejects.toMatchObject({ code: "unavailable" });
  await tools.close();
  expect(sent).toBeLessThan(256 * 2 ** 20);
}, 30_000);

test("what is answered is read up to its limit, and nothing is listened to that nobody asked for", async () => {
  sent = 0;
  const url = `http://127.0.0.1:${server.port}/stream`;
  const asked = toolFetch(4 * 2 ** 20);
  expect((await asked(url)).status).toBe(405);
  expect(sent).toBe(0);
  const endless = await asked(url, { method: "POST", body: "{}" });
  expect(endless.status).toBe(200);
  await expect(endless.text()).rejects.toThrow("more than 4194304 bytes");
  expect(sent).toBeLessThan(256 * 2 ** 20);
});
