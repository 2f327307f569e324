import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../../base/child-env.ts";
import { executeCall } from "../execute.ts";
import { errorOf, testContext, testRequest } from "../testing/context.ts";

const box = mkdtempSync(join(tmpdir(), "lightflow call cortex "));
const place = { mount: join(box, "ctx"), uid: process.getuid!() };
const outbox = join(place.mount, `home/${place.uid}/api/openai.chat/outbox`);
const context = testContext({ cortex: place });
let server: Bun.Subprocess<"pipe", "pipe", "inherit">;

beforeAll(async () => {
  const main = join(import.meta.dir, "../../main.ts");
  const words = ["ctx", "serve", "--dir", place.mount, "--until-stdin-ends", "--json"];
  server = Bun.spawn([process.execPath, main, ...words], {
    env: { ...childEnvironment(process.env), XDG_STATE_HOME: join(box, "state") },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  for await (const part of server.stdout) if (Buffer.from(part).toString().includes("ready")) break;
});
afterAll(async () => {
  server.kill();
  await server.exited;
  rmSync(box, { recursive: true, force: true });
});

const chat = (content: string, more = {}) => ({
  target: { kind: "api", format: "openai.chat" },
  body: { model: "demo", messages: [{ role: "user", content }] },
  ...more,
});

test("an exchange gives the response, and the same call again takes up the one that was made", async () => {
  const request = testRequest("cortex", chat("hello"), { idempotencyKey: "instance/e1" });
  const first = (await executeCall(request, context)) as { choices: { message: { content: string } }[] };
  expect(first.choices[0]!.message.content).toContain("hello");
  expect(await executeCall(request, context)).toEqual(first);
  const names = readdirSync(outbox).filter((name) => name.endsWith(".resp.json"));
  expect(names).toEqual(["instance.e1.resp.json"]);
});

test("a refusal and an error are the task's, with what the filesystem says", async () => {
  const bad = testRequest("cortex", { target: { kind: "api", format: "x" }, body: {} });
  expect(await errorOf(bad, context)).toMatchObject({ type: "validation", sent: "none" });
  const tool = { target: { kind: "tool", tool: "shell.exec" }, body: { argv: ["true"] } };
  const denied = await errorOf(testRequest("cortex", tool, { idempotencyKey: "i/e2" }), context);
  expect(["authorization", "communication"]).toContain(denied.type);
  const away = testContext({ cortex: { mount: join(box, "nothing\0"), uid: 1 } });
  expect((await errorOf(testRequest("cortex", chat("x")), away)).type).toBe("communication");
});

test("a cancelled call takes its request back", async () => {
  // Nobody serves this tree, so the request waits.
  const idle = { mount: join(box, "idle"), uid: 5 };
  mkdirSync(join(idle.mount, "home/5/api/openai.chat/outbox"), { recursive: true });
  writeFileSync(join(idle.mount, "status"), "");
  const stop = new AbortController();
  const call = errorOf(
    testRequest("cortex", chat("x"), { idempotencyKey: "i/e3" }),
    testContext({ cortex: idle, signal: stop.signal }),
  );
  const committed = join(idle.mount, "home/5/api/openai.chat/inbox/i.e3.req.json");
  while (!existsSync(committed)) await Bun.sleep(2);
  stop.abort();
  expect((await call).sent).toBe("possible");
  while (existsSync(committed)) await Bun.sleep(2);
});
