import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prerequisite } from "../../../test/support/require.ts";
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

/** Names of a made-up zone: one of this tenant's network, one that an attacker points at this very host. */
const ZONE: Readonly<Record<string, string[]>> = {
  "tools.example.com": ["10.255.255.1"],
  "evil.example.com": ["127.0.0.1"],
  "metadata.example.com": ["169.254.169.254"],
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

test("X.3: odd notations, other schemes and overlong heads get no connection", async () => {
  const { result } = await withProxy({ allow: ["127.0.0.1"], deny: [] }, async (socket) => [
    await say(socket, "CONNECT 0x7f.1@example.com:80 HTTP/1.1"),
    await say(socket, "GET ftp://127.0.0.1/ HTTP/1.1"),
    await say(socket, "GET / HTTP/1.1"),
    await say(socket, `GET http://127.0.0.1/${"x".repeat(20_000)} HTTP/1.1`),
    await say(socket, "\0\0\0"),
  ]);
  expect(result.map((text) => text.slice(9, 12))).toEqual(["403", "400", "400", "", "400"]);
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
