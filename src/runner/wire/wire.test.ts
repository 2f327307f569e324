import { afterAll, expect, test } from "bun:test";
import { fail, toProblem } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import { Acknowledged, type RegistrationAccepted } from "../../protocol/index.ts";
import { createBackoff } from "./backoff.ts";
import { createClient } from "./client.ts";
import { Session } from "./session.ts";

let answer: () => Response = () => Response.json({ accepted: true });
let seen: { authorization: string | null; version: string | null; body: unknown } | null = null;
const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const { headers } = request;
    seen = {
      authorization: headers.get("authorization"),
      version: headers.get("lightflow-protocol"),
      body: await request.json(),
    };
    return answer();
  },
});
afterAll(() => server.stop(true));

const client = createClient(`http://127.0.0.1:${server.port}/`);
const send = (timeoutMs = 2_000) =>
  client.call({ path: "/runner/drain", token: "the-token", body: { a: 1 }, answer: Acknowledged, timeoutMs });

test("F50: the wait doubles up to its limit, is drawn from the whole range below it, and starts small after a success", () => {
  const highest = createBackoff(100, 1_000, () => 1);
  expect([1, 2, 3, 4, 5, 6].map(() => highest.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  highest.reset();
  expect(highest.next()).toBe(100);
  const lowest = createBackoff(100, 1_000, () => 0);
  expect([1, 2, 3].map(() => lowest.next())).toEqual([1, 1, 1]);
});

test("a message carries its credential and the protocol's version", async () => {
  answer = () => Response.json({ accepted: true });
  expect(await send()).toEqual({ accepted: true });
  expect(seen).toEqual({ authorization: "Bearer the-token", version: "1.0", body: { a: 1 } });
});

test("a redirect is followed nowhere: it would carry the credential to a place that nobody configured", async () => {
  let reached = false;
  const elsewhere = Bun.serve({
    port: 0,
    fetch() {
      reached = true;
      return Response.json({ accepted: true });
    },
  });
  for (const status of [302, 307, 308]) {
    answer = () => Response.redirect(`http://127.0.0.1:${elsewhere.port}/runner/drain`, status);
    await expect(send()).rejects.toMatchObject({ code: "unavailable" });
  }
  expect(reached).toBe(false);
  await elsewhere.stop(true);
});

test("a refusal keeps its code, and an answer that does not fit the closed schema is refused", async () => {
  answer = () => Response.json(toProblem(fail("stale_fence", "too late")), { status: 410 });
  expect(send()).rejects.toMatchObject({ code: "stale_fence", message: "too late" });
  await send().catch(() => {});
  answer = () => Response.json({ accepted: true, extra: 1 });
  await send().then(
    () => expect.unreachable(),
    (failure) => expect(failure).toMatchObject({ code: "schema_violation" }),
  );
});

test("another major version, a redirect, a proxy's page and silence are no answers", async () => {
  const codeOf = (timeoutMs?: number) =>
    send(timeoutMs).then(
      () => null,
      (failure) => failure.code,
    );
  answer = () => Response.json({ accepted: true }, { headers: { "lightflow-protocol": "2.0" } });
  expect(await codeOf()).toBe("protocol_unsupported");
  answer = () => Response.redirect("http://127.0.0.1:1/elsewhere", 307);
  expect(await codeOf()).toBe("unavailable");
  answer = () => new Response("<h1>Bad Gateway</h1>", { status: 502 });
  expect(await codeOf()).toBe("unavailable");
  answer = () => new Response(new ReadableStream({ start() {} }));
  expect(await codeOf(200)).toBe("unavailable");
});

const registered = (sessionId: string) => ({ sessionId }) as RegistrationAccepted;

test("many who need a session share one registration, and a lost one is made anew once", async () => {
  let registrations = 0;
  const session = new Session({
    register: async () => {
      await Bun.sleep(5);
      return registered(`session-${++registrations}`);
    },
    onRegistered() {},
    log: silentLog,
    signal: new AbortController().signal,
    random: () => 0,
  });
  const all = await Promise.all([session.ensure(), session.ensure(), session.ensure()]);
  expect(new Set(all).size).toBe(1);
  const used: string[] = [];
  await session.deliver(async ({ sessionId }) => {
    used.push(sessionId);
    if (sessionId === "session-1") throw fail("runner_session_inactive");
    if (used.length < 3) throw fail("unavailable");
    return null;
  });
  expect(used).toEqual(["session-1", "session-2", "session-2"]);
  session.lost("session-1");
  expect(session.current?.sessionId).toBe("session-2");
});

test("a refusal that a repeat cannot change is thrown at once; an abort ends the repeating", async () => {
  const session = new Session({
    register: async () => registered("session"),
    onRegistered() {},
    log: silentLog,
    signal: new AbortController().signal,
    random: () => 0,
  });
  let tries = 0;
  const refused = session.deliver(async () => {
    tries++;
    throw fail("lease_used");
  });
  expect(await refused.catch((failure) => failure.code)).toBe("lease_used");
  expect(tries).toBe(1);
  const abort = new AbortController();
  const repeating = session.deliver(
    async () => {
      if (++tries === 5) abort.abort();
      throw fail("unavailable");
    },
    { signal: abort.signal },
  );
  expect(await repeating.catch((failure) => failure.code)).toBe("unavailable");
  expect(tries).toBe(5);
});
