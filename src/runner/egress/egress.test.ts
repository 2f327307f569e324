import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
import { joinSockets } from "../../base/join-sockets.ts";
import { ownExecutable } from "../lease/files.ts";
import { runToEnd, shellRequest } from "../sandboxes/conformance.ts";
import { type ProbeResult, probeSandboxes } from "../sandboxes/index.ts";
import { behindRelay, proxyEnvironment, SANDBOX_SOCKET_DIRECTORY, SOCKET_NAME } from "./places.ts";
import { type EgressRules, openEgressProxy } from "./proxy.ts";
import { readEgress } from "./record.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "egress ")));
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) =>
    new Response(`reached ${new URL(request.url).pathname} as ${request.headers.get("host")}`),
});
const port = server.port!;
let probe: ProbeResult;
beforeAll(async () => {
  probe = await probeSandboxes({
    dataDirectory: join(base, "data"),
    readOnlyPaths: [],
    temporaryBytes: 1 << 20,
  });
});
afterAll(() => {
  server.stop(true);
  rmSync(base, { recursive: true, force: true });
});

/** What this host is called by its network. */
const ownAddresses = Object.values(networkInterfaces()).flatMap((all) =>
  (all ?? []).filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address),
);

/** Names of a made-up zone: one of this tenant's network, one that an attacker points at this very host. */
const ZONE: Readonly<Record<string, string[]>> = {
  "tools.example.com": ["10.255.255.1"],
  "evil.example.com": ["127.0.0.1"],
  "metadata.example.com": ["169.254.169.254"],
  "self.example.com": ownAddresses,
  // The system's own look-up would lead to this host, where the server listens; nothing can be reached at this one.
  localhost: ["255.255.255.255"],
};
let serial = 0;
async function withProxy<Result>(
  rules: EgressRules,
  work: (socket: string, directory: string) => Promise<Result>,
): Promise<{ result: Result; record: ReturnType<typeof readEgress> }> {
  const record = mkdtempSync(join(base, `record-${serial++}-`));
  // Longer than the address of a socket may be.
  const place = join(record, "x".repeat(100));
  const proxy = await openEgressProxy(rules, place, record, async (name) => ZONE[name] ?? []);
  try {
    const result = await work(join(proxy.directory, SOCKET_NAME), proxy.directory);
    await proxy.close();
    return { result, record: readEgress(record) };
  } finally {
    await proxy.close();
  }
}

/** What the proxy says to one head. */
async function say(socket: string, head: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  await Bun.connect({
    unix: socket,
    socket: {
      open: (connection) => void connection.write(`${head}\r\n\r\n`),
      data: (_, bytes) => {
        text += bytes.toString();
      },
      close: () => resolve(text),
      error: () => resolve(text),
    },
  });
  return promise;
}

test("an allowed address is reached by plain HTTP, and what was asked for is recorded", async () => {
  const { result, record } = await withProxy({ allow: ["127.0.0.1"], deny: [] }, (socket) =>
    say(
      socket,
      `GET http://127.0.0.1:${port}/a?b=c HTTP/1.1\r\nProxy-Connection: keep-alive\r\nHost: lies.example.com`,
    ),
  );
  expect(result).toContain("200 OK");
  expect(result).toContain(`reached /a as 127.0.0.1:${port}`);
  expect(record).toMatchObject([{ host: "127.0.0.1", port, allowed: true, connections: 1 }]);
  expect(record[0]!.receivedBytes).toBeGreaterThan(100);
});

/** A server of plain bytes on this host's loopback. */
async function withServer<Result>(
  serve: (socket: Socket) => void,
  work: (port: number) => Promise<Result>,
): Promise<Result> {
  const plain = createServer({ allowHalfOpen: true }, serve);
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  try {
    return await work((plain.address() as AddressInfo).port);
  } finally {
    plain.close();
  }
}

/** Ends its own side after what it sends, then reads whatever comes, slowly. */
async function exchange(socket: string, bytes: string | Buffer): Promise<Buffer> {
  const connection = connect({ path: socket, allowHalfOpen: true });
  connection.end(bytes);
  const parts: Buffer[] = [];
  for await (const part of connection) {
    parts.push(part as Buffer);
    if (parts.length < 5) await Bun.sleep(20);
  }
  return Buffer.concat(parts);
}

test("a client that keeps connections for its next request never sends one into a connection that ends", async () => {
  const { result, record } = await withProxy({ allow: ["127.0.0.1"], deny: [] }, async (path) => {
    const front = createServer({ allowHalfOpen: true }, (client) => {
      void joinSockets(client, connect({ path, allowHalfOpen: true }));
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    const proxy = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const statuses: number[] = [];
    for (let at = 0; at < 100; at++) {
      const answer = await fetch(`http://127.0.0.1:${port}/${at}`, { method: "POST", body: "x", proxy });
      statuses.push(answer.status);
      await answer.text();
    }
    front.close();
    return statuses;
  });
  expect(new Set(result)).toEqual(new Set([200]));
  expect(record).toMatchObject([{ allowed: true, connections: 100 }]);
});

test("an answer keeps what is said between its ends, and loses what is said between neighbours", async () => {
  const head =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nProxy-Status: lightflow-egress\r\nX-Kept: a:b\r\n\r\nbody";
  const { result } = await withProxy({ allow: ["127.0.0.1"], deny: [] }, (socket) =>
    withServer(
      (client) => client.end(head).on("error", () => {}),
      (own) => exchange(socket, `GET http://127.0.0.1:${own}/ HTTP/1.1\r\n\r\n`),
    ),
  );
  expect(result.toString()).toBe(
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nX-Kept: a:b\r\n\r\nbody",
  );
});

test("each direction of a tunnel arrives whole, though the other has ended and its reader is slow", async () => {
  const sent = Buffer.alloc(4 << 20, "a");
  const { result, record } = await withProxy({ allow: ["127.0.0.1"], deny: [] }, (socket) =>
    withServer(
      (client) => {
        let received = 0;
        client
          .on("data", (part) => {
            received += part.length;
          })
          .on("end", () => client.end(Buffer.concat([Buffer.from(`${received} `), sent])));
      },
      (own) =>
        exchange(socket, Buffer.concat([Buffer.from(`CONNECT 127.0.0.1:${own} HTTP/1.1\r\n\r\n`), sent])),
    ),
  );
  const [, body = ""] = result.toString().split("\r\n\r\n");
  expect([body.slice(0, 8), body.length]).toEqual([`${sent.length} `, 8 + sent.length]);
  expect(record).toMatchObject([{ sentBytes: sent.length, receivedBytes: 8 + sent.length }]);
});

test("X.3: what is not listed, denied, or leads to this host by a listed name is refused and recorded", async () => {
  const cases: [EgressRules, string, string][] = [
    [{ allow: ["api.example.com"], deny: [] }, "127.0.0.1", "403"],
    [{ allow: [], deny: [] }, "127.0.0.1", "403"],
    [{ allow: ["*"], deny: [] }, "127.0.0.1", "403"],
    [{ allow: ["*.example.com"], deny: [] }, "evil.example.com", "403"],
    [{ allow: ["metadata.example.com"], deny: [] }, "metadata.example.com", "403"],
    [{ allow: ["*.example.com"], deny: ["tools.example.com"] }, "tools.example.com", "403"],
    [{ allow: ["*"], deny: [] }, "tools.example.com", "403"],
    [{ allow: ["*.example.com"], deny: [] }, "nowhere.example.com", "403"],
  ];
  for (const [rules, host, status] of cases) {
    const { result, record } = await withProxy(rules, (socket) =>
      say(socket, `CONNECT ${host}:${port} HTTP/1.1`),
    );
    expect([host, result.slice(9, 12)]).toEqual([host, status]);
    expect(record).toMatchObject([{ host, port, allowed: false, connections: 1 }]);
  }
});

test("X.3: a listed name that leads to an address of this host's own network is refused", async () => {
  const { result } = await withProxy({ allow: ["*.example.com"], deny: [] }, (socket) =>
    say(socket, `CONNECT self.example.com:${port} HTTP/1.1`),
  );
  // Without any network there is no such address, and nowhere to go.
  expect(result).toContain(ownAddresses.length > 0 ? "self.example.com leads to this host" : "may not reach");
});

test("X.3: a connection goes to the address that was checked, not where a second look-up leads", async () => {
  const { result } = await withProxy({ allow: ["localhost"], deny: [] }, (socket) =>
    say(socket, `CONNECT localhost:${port} HTTP/1.1`),
  );
  expect(result).toContain(`localhost:${port} does not answer`);
});

test("X.3: odd notations, other schemes and overlong heads get no connection", async () => {
  const { result } = await withProxy({ allow: ["127.0.0.1"], deny: [] }, async (socket) => [
    await say(socket, "CONNECT 0x7f.1@example.com:80 HTTP/1.1"),
    await say(socket, "GET ftp://127.0.0.1/ HTTP/1.1"),
    await say(socket, "GET / HTTP/1.1"),
    await say(socket, `GET http://127.0.0.1/${"x".repeat(20_000)} HTTP/1.1`),
    await say(socket, "\0\0\0"),
    await say(socket, `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nX: a\nHost: other.example.com`),
    await say(socket, `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nX: a\r\n Host: other.example.com`),
  ]);
  expect(result.map((text) => text.slice(9, 12))).toEqual(["403", "400", "400", "", "400", "400", "400"]);
  // The last ones are the proxy's word: no server was asked to read what two may read differently.
  for (const text of result.slice(-2)) expect(text).toContain("Proxy-Status: lightflow-egress");
});

test("a task in a sandbox gets out through the proxy alone", async () => {
  if (!prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "")) return;
  const own = ownExecutable();
  const script = (host: string) =>
    `const {HTTP_PROXY} = process.env; const direct = await new Promise((resolve) => require("node:net").connect(${port}, "127.0.0.1").on("connect", () => resolve("reached")).on("error", (error) => resolve(error.code))); const there = await fetch("http://${host}:${port}/x", {proxy: HTTP_PROXY}); console.log(direct, there.status, await there.text()); process.exit(7)`;
  const run = (host: string) =>
    withProxy({ allow: ["127.0.0.1"], deny: [] }, async (_, directory) => {
      const [command = "", ...args] = behindRelay(
        [own.command, ...own.arguments],
        [process.execPath, "-e", script(host)],
      );
      const request = shellRequest(join(base, "work"), "", {
        network: "allowlisted",
        environment: proxyEnvironment(),
        mounts: [
          ...own.paths.map((path) => ({ source: path, target: path, readOnly: true })),
          { source: directory, target: SANDBOX_SOCKET_DIRECTORY, readOnly: true },
        ],
      });
      return runToEnd(probe.bubblewrap!, { ...request, command, arguments: args });
    });
  const allowed = await run("127.0.0.1");
  expect(allowed.result).toMatchObject({
    exitCode: 7,
    stdout: `ECONNREFUSED 200 reached /x as 127.0.0.1:${port}\n`,
  });
  expect(allowed.record).toMatchObject([{ host: "127.0.0.1", allowed: true }]);
  const refused = await run("other.example.com");
  expect(refused.result.stdout).toStartWith("ECONNREFUSED 403 ");
  expect(refused.record).toMatchObject([{ host: "other.example.com", allowed: false }]);
}, 20_000);

test("a plain process is never taken for one that can hold an allow-list", async () => {
  const request = shellRequest(join(base, "work"), "true", { network: "allowlisted" });
  expect(() => probe.process.validate(request)).toThrow("allow-list");
});
