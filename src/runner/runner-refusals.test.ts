import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runnerBenches } from "../../test/support/runner.ts";

setDefaultTimeout(30_000);

const benches = runnerBenches();
afterEach(() => benches.close());

describe("what is refused", () => {
  test("names, secrets and programs that no server may ask for", async () => {
    const { controller } = benches.start({ commands: ["sh", "echo"] });
    const task = (environment: Record<string, string>, command = "sh", args = ["-c", "true"]) =>
      controller.offer({ task: { type: "run.shell", command, arguments: args, environment } });
    const cases: [string, string][] = [
      [task({ LD_PRELOAD: "/tmp/x.so" }), "execution_policy_denied"],
      [task({ BUN_OPTIONS: "--preload=x" }), "execution_policy_denied"],
      [task({ LIGHTFLOW_LEASE: "other" }), "execution_policy_denied"],
      [task({ TOKEN: "saas-secret://openai" }), "secret_denied"],
      [task({}, "echo", ["runner-secret://db"]), "secret_denied"],
      [task({ TOKEN: "runner-secret://unknown" }), "secret_denied"],
      [task({}, "curl", []), "template_denied"],
    ];
    for (const [lease, code] of cases) {
      expect(await controller.result(lease)).toMatchObject({
        status: "failed",
        errorCode: code,
        retrySafety: "safe",
      });
      expect(controller.log(lease)).toBe("");
    }
  });

  test("a lease for another runner, tenant, host or session, or one that was changed, is given back unrun", async () => {
    const { controller, directory } = benches.start();
    const marker = join(directory, "ran");
    const leases = [
      controller.shell(`touch '${marker}'`, { runnerId: "other" }),
      controller.shell(`touch '${marker}'`, { tenantId: "other" }),
      controller.shell(`touch '${marker}'`, { hostId: "other" }),
      controller.shell(`touch '${marker}'`, { sessionId: Bun.randomUUIDv7() }),
      controller.shell(`touch '${marker}'`, { sandbox: { mode: "none", provider: "kubernetes" } }),
    ];
    await controller.until(() => leases.every((id) => controller.records.get(id)?.state === "rejected"));
    controller.tamper = (lease) => ({ ...lease, network: "open" });
    leases.push(controller.shell(`touch '${marker}'`));
    await controller.until(() => leases.every((id) => controller.records.get(id)?.state === "rejected"));
    expect(controller.record(leases[5]!).rejected).toContain("signature");
    expect(controller.record(leases[4]!).rejected).toContain("no sandbox");
    expect(existsSync(marker)).toBe(false);
  });

  test("isolation that this host does not have is given back with the remedy, never replaced", async () => {
    const { controller } = benches.start({ sandbox: "process" });
    const lease = controller.shell("true", { sandbox: { mode: "per-agent-call" } });
    await controller.until(() => controller.records.get(lease)?.state === "rejected");
    expect(controller.record(lease).rejected).toContain("no sandbox for mode per-agent-call");
    expect(controller.registrations[0]!.sandbox).toMatchObject({
      modes: ["none"],
      providers: [{ provider: "process", boundary: "process" }],
    });
  });

  test("mounts outside the configured roots, missing ones and the runner's own directory", async () => {
    const { controller, directory, data } = benches.start({ mounts: ["/usr"] });
    mkdirSync(join(directory, "outside"));
    const mount = (source: string, roots = source) =>
      controller.shell("true", { mounts: [{ source, target: roots, readOnly: true }] });
    const cases: [string, string][] = [
      [mount(join(directory, "outside")), "execution_policy_denied"],
      [mount("/usr/../etc"), "execution_policy_denied"],
      [mount("/usr/no-such-directory"), "not_found"],
      [mount(data), "execution_policy_denied"],
      [mount("/proc/1"), "execution_policy_denied"],
    ];
    for (const [lease, code] of cases) expect((await controller.result(lease)).errorCode).toBe(code);
  });
});

describe("secrets", () => {
  test("the file that one stands in is shown to no task, by a mount of what it lies below or a copy of that", async () => {
    const shared = mkdtempSync(join(tmpdir(), "shared "));
    const key = join(shared, "keys/key.pem");
    mkdirSync(join(shared, "keys"));
    mkdirSync(join(shared, "files"));
    writeFileSync(key, "a key", { mode: 0o600 });
    symlinkSync(key, join(shared, "link.pem"));
    const { controller } = benches.start({
      mounts: [shared],
      secrets: { key: { file: join(shared, "link.pem") } },
    });
    const mount = (source: string) =>
      controller.shell(`cat '${key}'`, { mounts: [{ source, target: source, readOnly: true }] });
    for (const lease of [
      mount(shared),
      mount(join(shared, "keys")),
      mount(key),
      controller.shell("cat keys/key.pem", {
        workspace: { mode: "session", key: "one", copyOf: { path: shared } } as never,
      }),
    ]) {
      expect(await controller.result(lease)).toMatchObject({ errorCode: "execution_policy_denied" });
      expect(controller.log(lease)).toBe("");
    }
    const beside = controller.shell("true", {
      mounts: [{ source: join(shared, "files"), target: join(shared, "files"), readOnly: true }],
    });
    expect((await controller.result(beside)).status).toBe("succeeded");
    rmSync(shared, { recursive: true });
  });

  test("a secret reaches the environment of its task and nothing else: log, output, name or journal", async () => {
    const secret = "s3cr3t-Value/+with=chars";
    process.env["TEST_DATABASE_PASSWORD"] = secret;
    const { controller, data, runner } = benches.start({
      secrets: { db: { env: "TEST_DATABASE_PASSWORD" } },
    });
    const lease = controller.shell(
      `printf '%s' "$PASSWORD"; echo; printf '%s' "$PASSWORD" | base64; printf '%s' "$PASSWORD" | od -An -tx1 | tr -d ' \\n'; printf '{"p":"%s"}' "$PASSWORD" > "$LIGHTFLOW_OUTPUT"; printf 'x' > "a-$(printf '%s' "$PASSWORD" | tr -d '/+=')"; for c in $(printf '%s' "$PASSWORD" | sed 's/./& /g'); do printf '%s' "$c"; sleep 0.01; done; echo "$PASSWORD" >&2`,
      {
        output: "json",
        task: {
          type: "run.shell",
          command: "sh",
          arguments: ["-c", "placeholder"],
          environment: { PASSWORD: "runner-secret://db" },
        },
      },
    );
    const result = await controller.result(lease);
    delete process.env["TEST_DATABASE_PASSWORD"];
    expect(result.status).toBe("succeeded");
    const everything = [
      controller.log(lease),
      controller.log(lease, "stderr"),
      JSON.stringify(result),
      ...[...controller.artifacts.values()].map((bytes) => Buffer.from(bytes).toString()),
    ].join("\n");
    for (const form of [
      secret,
      Buffer.from(secret).toString("hex"),
      Buffer.from(secret).toString("base64").slice(0, 30),
    ]) {
      expect(everything).not.toContain(form);
    }
    expect(everything).toContain("***");
    expect(result.output).toEqual({ p: "***" });
    await runner.stop();
    for (const name of readdirSync(data).filter((file) => file.startsWith("journal"))) {
      expect(readFileSync(join(data, name), "latin1")).not.toContain(secret);
    }
  });
});
