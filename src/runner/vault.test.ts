import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerBenches } from "../../test/support/runner.ts";
import { effectiveConfig } from "./config.ts";
import { readVault } from "./vault.ts";

setDefaultTimeout(20_000);

const TOKEN = "hvs.test-token";
const VALUE = "vault-canary-2f81c0";
let directory: string;
let tokenFile: string;
let server: ReturnType<typeof Bun.serve>;
const asked: { path: string; token: string | null; namespace: string | null }[] = [];
let status = 200;

/** The part of Vault's HTTP API that KV version 2 has for reading: paths, headers, statuses and bodies as documented. */
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "vault "));
  tokenFile = join(directory, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const token = request.headers.get("x-vault-token");
      asked.push({ path: pathname, token, namespace: request.headers.get("x-vault-namespace") });
      if (status !== 200) return Response.json({ errors: [VALUE] }, { status });
      if (token !== TOKEN) return Response.json({ errors: ["permission denied"] }, { status: 403 });
      if (pathname === "/v1/secret/data/away") return Response.redirect("/v1/secret/data/ci/registry", 307);
      const version = searchParams.get("version");
      if (pathname === "/v1/secret/data/gone" || version === "9") {
        const metadata = { deletion_time: "2026-01-01T00:00:00Z", destroyed: false, version: 9 };
        return Response.json({ data: { data: null, metadata } }, { status: 404 });
      }
      if (pathname !== "/v1/secret/data/ci/registry" && pathname !== "/v1/kv/team/data/ci/registry")
        return Response.json({ errors: [] }, { status: 404 });
      const data = { token: version === "1" ? "older-value-0000" : VALUE, number: 7 };
      return Response.json({ data: { data, metadata: { version: 2, destroyed: false } } });
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  rmSync(directory, { recursive: true, force: true });
});

const vault = () => ({ address: `http://127.0.0.1:${server.port}`, tokenFile });
const code = (work: Promise<unknown>) =>
  work.then(
    () => "no refusal",
    (error) => error as { code: string; message: string },
  );

test("a field is read from KV version 2, of a version and a namespace where they are named", async () => {
  expect(await readVault(vault(), { path: "ci/registry", field: "token" })).toBe(VALUE);
  expect(await readVault(vault(), { path: "ci/registry", field: "token", version: 1 })).toBe(
    "older-value-0000",
  );
  const elsewhere = { mount: "kv/team", path: "ci/registry", field: "token" };
  expect(await readVault({ ...vault(), namespace: "team-a" }, elsewhere)).toBe(VALUE);
  expect(asked.at(-1)).toEqual({
    path: "/v1/kv/team/data/ci/registry",
    token: TOKEN,
    namespace: "team-a",
  });
});

test("what Vault has not, does not give, or answers strangely is refused, and no answer is repeated in a message", async () => {
  const reference = { path: "ci/registry", field: "token" };
  for (const [work, expected] of [
    [() => readVault(vault(), { path: "gone", field: "token" }), "secret_denied"],
    [() => readVault(vault(), { path: "nothing", field: "token" }), "secret_denied"],
    [() => readVault(vault(), { ...reference, version: 9 }), "secret_denied"],
    [() => readVault(vault(), { ...reference, field: "number" }), "secret_denied"],
    [() => readVault(vault(), { ...reference, field: "constructor" }), "secret_denied"],
    [() => readVault(vault(), { path: "away", field: "token" }), "unavailable"],
    [() => readVault({ ...vault(), address: "http://127.0.0.1:9" }, reference), "unavailable"],
  ] as const)
    expect(await code(work())).toMatchObject({ code: expected });
  const wrongToken = join(directory, "wrong");
  writeFileSync(wrongToken, "other", { mode: 0o600 });
  expect(await code(readVault({ ...vault(), tokenFile: wrongToken }, reference))).toMatchObject({
    code: "secret_denied",
  });
  for (const answered of [500, 503, 429]) {
    status = answered;
    const failure = (await code(readVault(vault(), reference))) as { code: string; message: string };
    expect(failure.code).toBe("unavailable");
    expect(failure.message).not.toContain(VALUE);
  }
  status = 200;
});

test("SR-1.8: a token that others may read, or behind a link, is not used", async () => {
  const open = join(directory, "open");
  writeFileSync(open, TOKEN);
  chmodSync(open, 0o644);
  const link = join(directory, "link");
  symlinkSync(tokenFile, link);
  for (const path of [open, link]) {
    const before = asked.length;
    const failure = await code(
      readVault({ ...vault(), tokenFile: path }, { path: "ci/registry", field: "x" }),
    );
    expect(failure).toMatchObject({ code: "secret_denied" });
    expect(asked.length).toBe(before);
  }
});

test("a token never crosses the network in the clear, and a reference needs a Vault", () => {
  const base = {
    runnerId: "r",
    tenantId: "t",
    hostId: "h",
    runnerPools: [],
    executionProfiles: [],
    dataDirectory: "/d",
    slots: 1,
  };
  const secrets = { one: { vault: { path: "a", field: "b" } } };
  expect(() => effectiveConfig({ ...base, secrets })).toThrow('there is no "vault"');
  const clear = { ...base, secrets, vault: { address: "http://vault.example", tokenFile: "/t" } };
  expect(() => effectiveConfig(clear)).toThrow("in the clear");
  expect(() =>
    effectiveConfig({ ...base, vault: { address: "http://localhost.evil", tokenFile: "/t" } }),
  ).toThrow("in the clear");
  expect(() =>
    effectiveConfig({ ...base, secrets: { one: { vault: { path: "../a", field: "b" } } } }),
  ).toThrow();
});

const benches = runnerBenches();
test("SR-8.1: a task gets the value, and nobody else: logs, result, journal and the runner's own environment have none of it", async () => {
  try {
    const { controller, data } = benches.start({
      sandbox: "process",
      vault: vault(),
      secrets: { registry: { vault: { path: "ci/registry", field: "token" } } },
    });
    const lease = controller.shell(
      'printf %s "$TOKEN" | sha256sum; echo "$TOKEN"; echo "$TOKEN" | base64; exit 3',
      {
        task: {
          type: "run.shell",
          command: "sh",
          arguments: [],
          environment: { TOKEN: "runner-secret://registry" },
        },
      },
    );
    const result = await controller.result(lease);
    const log = controller.log(lease);
    expect(log).toContain(new Bun.CryptoHasher("sha256").update(VALUE).digest("hex"));
    expect(log + JSON.stringify(result)).not.toContain(VALUE);
    expect(log).not.toContain(Buffer.from(VALUE).toString("base64").slice(0, -2));
    const found = Bun.spawnSync(["grep", "-rla", VALUE, data]);
    expect(found.stdout.toString()).toBe("");
    expect(Object.values(process.env).join()).not.toContain(VALUE);
  } finally {
    await benches.close();
  }
});
