import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
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
import type { FakeController } from "../../test/support/fake-controller.ts";
import { processesRunning, runnerBenches } from "../../test/support/runner.ts";
import { until } from "../../test/support/until.ts";
import { sha256 } from "../base/canonical.ts";
import { ManualClock } from "../base/clock.ts";
import { newId } from "../base/ids.ts";
import { Journal } from "./journal/journal.ts";

setDefaultTimeout(30_000);

/** A command of this process's tests alone: others may run the same ones on this machine. */
const sleeping = `sleep 61.${process.pid}`;

const benches = runnerBenches();
afterEach(() => benches.close());

const artifactText = (controller: { artifacts: Map<string, Uint8Array> }, reference: string) =>
  Buffer.from(controller.artifacts.get(reference.split("/").at(-1)!)!).toString();

describe("one lease", () => {
  test("a command runs once, its logs arrive whole and in order, and its result is accepted", async () => {
    const { controller, data, runner } = benches.start();
    const lease = controller.shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    const result = await controller.result(lease);
    expect(result).toMatchObject({ status: "succeeded", exitCode: 0, signal: null, output: null });
    expect(controller.log(lease)).toBe("out 1\nout 2\nout 3\n");
    expect(controller.log(lease, "stderr")).toBe("err 1\nerr 2\nerr 3\n");
    const record = controller.record(lease);
    expect(record.finals).toEqual({ stdout: true, stderr: true });
    expect(record.starts).toBe(1);
    expect(artifactText(controller, result.stdoutRef!)).toBe(controller.log(lease));
    expect(artifactText(controller, result.stderrRef!)).toBe(controller.log(lease, "stderr"));
    await runner.stop();
    // Nothing of an ephemeral lease stays.
    expect(readdirSync(join(data, "workspaces"))).toEqual([]);
    expect(readdirSync(join(data, "leases"))).toEqual([]);
  });

  test("a long log is handed over as one Zstandard frame, whole and masked", async () => {
    process.env["LONG_LOG_SECRET"] = "a-secret-in-a-long-log";
    const { controller } = benches.start({ secrets: { one: { env: "LONG_LOG_SECRET" } } });
    const lease = controller.offer({
      task: {
        type: "run.shell",
        command: "sh",
        arguments: ["-c", 'seq 1 40000; echo "$TOKEN"; echo short >&2'],
        environment: { TOKEN: "runner-secret://one" },
      },
    });
    const { stdoutRef, stderrRef } = await controller.result(lease);
    delete process.env["LONG_LOG_SECRET"];
    const sha = /^artifact:\/\/sha256\/([0-9a-f]{64})\?encoding=zstd$/.exec(stdoutRef!)![1]!;
    const bytes = controller.artifacts.get(sha)!;
    expect(bytes.length).toBeLessThan(controller.log(lease).length / 2);
    const text = Buffer.from(Bun.zstdDecompressSync(bytes)).toString();
    expect(text).toBe(controller.log(lease));
    expect(text).toEndWith("39999\n40000\n***\n");
    expect(artifactText(controller, stderrRef!)).toBe("short\n");
  });

  test("a task sees its own environment and nothing of the runner's", async () => {
    process.env["RUNNER_CANARY"] = "must not be inherited";
    const { controller } = benches.start();
    const lease = controller.offer({
      task: { type: "run.shell", command: "env", arguments: [], environment: { GREETING: "two words" } },
    });
    await controller.result(lease);
    const lines = controller.log(lease).trim().split("\n").sort();
    delete process.env["RUNNER_CANARY"];
    expect(lines.map((line) => line.split("=")[0]).filter((name) => name !== "PWD")).toEqual([
      "GIT_CONFIG_GLOBAL",
      "GREETING",
      "HOME",
      "LANG",
      "LIGHTFLOW_LEASE",
      "LIGHTFLOW_OUTPUT",
      "LIGHTFLOW_WORKSPACE",
      "PATH",
      "TMPDIR",
    ]);
    expect(lines).toContain("GREETING=two words");
    expect(lines).toContain("PATH=/usr/local/bin:/usr/bin:/bin");
  });

  test("an operator says where tools stand, and a task may say otherwise", async () => {
    const { controller } = benches.start({
      environment: { PATH: "/opt/tools of ours:/usr/bin:/bin", JAVA_HOME: "/opt/jdk" },
    });
    const shell = { type: "run.shell" as const, arguments: [], environment: {} };
    const plain = controller.offer({ task: { ...shell, command: "env" } });
    const own = controller.offer({ task: { ...shell, command: "env", environment: { JAVA_HOME: "/own" } } });
    for (const lease of [plain, own]) await controller.result(lease);
    expect(controller.log(plain)).toMatch(/^PATH=\/opt\/tools of ours:\/usr\/bin:\/bin$/m);
    expect(controller.log(plain)).toContain("JAVA_HOME=/opt/jdk\n");
    expect(controller.log(own)).toContain("JAVA_HOME=/own\n");
  });

  test("a task that crashes leaves no memory on the disk, with its sandbox and without", async () => {
    for (const sandbox of ["process", "auto"] as const) {
      const { controller } = benches.start({ sandbox });
      const lease = controller.shell("ulimit -H -c");
      expect((await controller.result(lease)).status).toBe("succeeded");
      expect(controller.log(lease)).toBe("0\n");
    }
  });

  test("arguments reach the program as they are, and stdin is given to it", async () => {
    const { controller } = benches.start();
    const strange = ["$(touch /tmp/x)", "`id`", "a b", "'", '"', "*", "\\", "", "日本"];
    const lease = controller.offer({
      task: { type: "run.shell", command: "printf", arguments: ["%s|", ...strange], environment: {} },
    });
    const input = "line\nsecond\n".repeat(20_000);
    const cat = controller.offer({
      task: { type: "run.shell", command: "cat", arguments: [], environment: {}, stdin: input },
    });
    await controller.result(lease);
    await controller.result(cat);
    expect(controller.log(lease)).toBe(strange.map((text) => `${text}|`).join(""));
    expect(controller.log(cat)).toBe(input);
  });

  test("a result names the files that its task made, changed and removed", async () => {
    const { controller } = benches.start();
    const key = "changed-files";
    const session = { workspace: { mode: "session", key } as const, wfInstanceId: newId() };
    const first = controller.shell("mkdir d; echo 1 > d/a; echo 1 > b; ln -s /etc/hostname link", session);
    expect((await controller.result(first)).changedFiles).toEqual(["b", "d/a"]);
    const second = controller.shell("rm b; echo 2 > c; exit 3", session);
    expect(await controller.result(second)).toMatchObject({ status: "failed", changedFiles: ["b", "c"] });
    const alone = controller.shell("echo 1 > e");
    expect((await controller.result(alone)).changedFiles).toEqual(["e"]);
  });

  test("a command that fails says so with its exit code and its last line", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("echo fine; echo 'it broke here' >&2; exit 7");
    const result = await controller.result(lease);
    expect(result).toMatchObject({ status: "failed", errorCode: "command_failed", exitCode: 7 });
    expect(result.summary).toBe("exit code 7: it broke here");
  });

  test("F42: a program that is not there is a failed start, safe to repeat", async () => {
    const { controller } = benches.start();
    const lease = controller.offer({
      task: { type: "run.shell", command: "no-such-program", arguments: [], environment: {} },
    });
    expect(await controller.result(lease)).toMatchObject({
      status: "failed",
      errorCode: "execution_start_failed",
      retrySafety: "safe",
      summary: expect.stringContaining('"no-such-program" is not installed'),
    });
  });

  test("JSON output is read from its file, and what is not valid JSON fails the task", async () => {
    const { controller } = benches.start();
    const offer = (script: string, outputBytes = 1000) =>
      controller.shell(script, {
        output: "json",
        limits: { logBytes: 1e6, outputBytes, artifactBytes: 1e6, artifactCount: 10 },
      });
    const good = offer(`printf '{"files":3,"names":["a"]}' > "$LIGHTFLOW_OUTPUT"`);
    const duplicate = offer(`printf '{"a":1,"a":2}' > "$LIGHTFLOW_OUTPUT"`);
    const missing = offer("true");
    const large = offer(`printf '"%01000d"' 1 > "$LIGHTFLOW_OUTPUT"`);
    const link = offer(`ln -s /etc/hostname "$LIGHTFLOW_OUTPUT"`);
    const fifo = offer(`mkfifo "$LIGHTFLOW_OUTPUT"`);
    const controlWords = offer(`echo '::set-output name=x::y'; printf null > "$LIGHTFLOW_OUTPUT"`);
    expect(await controller.result(good)).toMatchObject({
      status: "succeeded",
      output: { files: 3, names: ["a"] },
    });
    for (const lease of [duplicate, missing, link, fifo]) {
      expect(await controller.result(lease)).toMatchObject({
        status: "failed",
        errorCode: "execution_output_invalid",
        exitCode: 0,
      });
    }
    expect((await controller.result(large)).errorCode).toBe("execution_output_too_large");
    expect(await controller.result(controlWords)).toMatchObject({ status: "succeeded", output: null });
  });

  test("declared files become artifacts with their digest; links, FIFOs and paths outside never do", async () => {
    const { controller } = benches.start();
    const lease = controller.shell(
      "mkdir -p out/deep; echo one > out/a.txt; echo two > out/deep/b.txt; echo no > other.txt; ln -s /etc/passwd out/link.txt; mkfifo out/pipe.txt; ln -s / out/root",
      {
        artifacts: [
          { path: "out/**/*.txt" },
          { path: "other.txt", name: "renamed", mediaType: "text/plain" },
        ],
      },
    );
    const result = await controller.result(lease);
    expect(result.artifactRefs).toEqual([
      {
        name: "renamed",
        sha256: sha256("no\n"),
        size: 3,
        mediaType: "text/plain",
        uri: `artifact://sha256/${sha256("no\n")}`,
      },
      ...[
        ["out_a.txt", "one\n"],
        ["out_deep_b.txt", "two\n"],
      ].map(([name, text]) => ({
        name: name!,
        sha256: sha256(text!),
        size: 4,
        mediaType: "application/octet-stream",
        uri: `artifact://sha256/${sha256(text!)}`,
      })),
    ]);
    const link = controller.shell("ln -s /etc/passwd secret", { artifacts: [{ path: "secret" }] });
    const through = controller.shell("ln -s /etc dir", { artifacts: [{ path: "dir/passwd" }] });
    const missing = controller.shell("true", { artifacts: [{ path: "dist/never.tgz" }] });
    const outside = controller.shell("true", { artifacts: [{ path: "../../../etc/passwd" }] });
    for (const id of [link, through, missing]) {
      expect(await controller.result(id)).toMatchObject({
        status: "failed",
        errorCode: "artifact_not_found",
      });
    }
    expect((await controller.result(outside)).errorCode).toBe("artifact_path_denied");
  });

  test("an artifact of many megabytes arrives byte for byte", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("head -c 30000000 /dev/urandom > big; sha256sum big | cut -c1-64", {
      artifacts: [{ path: "big" }],
    });
    const result = await controller.result(lease);
    expect(result.artifactRefs[0]).toMatchObject({ size: 30_000_000, sha256: controller.log(lease).trim() });
  });

  test("steps that share a key share a workspace, one at a time, until it is idle for long enough", async () => {
    const { controller, data, runner } = benches.start({ workspaceRetentionMs: 3_600_000 });
    const workspace = { mode: "session" as const, key: "the-session" };
    const wfInstanceId = Bun.randomUUIDv7();
    const script = "mkdir lock || exit 9; sleep 0.2; rmdir lock; echo $$ >> log; wc -l < log";
    const leases = [1, 2, 3].map(() => controller.shell(script, { workspace, wfInstanceId }));
    for (const lease of leases) expect(await controller.result(lease)).toMatchObject({ exitCode: 0 });
    expect(leases.map((lease) => controller.log(lease).trim()).sort()).toEqual(["1", "2", "3"]);
    const foreign = controller.shell("cat log", { workspace, wfInstanceId: Bun.randomUUIDv7() });
    expect(await controller.result(foreign)).toMatchObject({ errorCode: "execution_policy_denied" });
    await runner.stop();
    expect(existsSync(join(data, "workspaces", "the-session", "work", "log"))).toBe(true);
  });
});

test("a step that wrecks the shared workspace leaves a usable one to the next", async () => {
  const { controller } = benches.start();
  const workspace = { mode: "session" as const, key: "wrecked" };
  const wfInstanceId = Bun.randomUUIDv7();
  const wreck = controller.shell(
    "cd ..; rm -rf work home output; ln -s /etc work; ln -s /etc home; chmod 0 .",
    {
      workspace,
      wfInstanceId,
    },
  );
  await controller.result(wreck);
  const next = controller.shell('pwd -P; echo {} > "$LIGHTFLOW_OUTPUT"; ls', {
    workspace,
    wfInstanceId,
    output: "json",
  });
  expect(await controller.result(next)).toMatchObject({ status: "succeeded", output: {} });
  expect(controller.log(next)).toMatch(/\/workspaces\/wrecked\/work\n$/);
});

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

describe("ends", () => {
  for (const sandbox of ["process", "auto"] as const) {
    test(`F40: a task over its time is asked, then ended, and reported as timed out (${sandbox})`, async () => {
      // Their time stands still until both have said what they do when they are asked.
      const clock = new ManualClock(Date.now());
      const [patient, hasty] = [10_000, 300].map(
        (killGraceMs) => benches.start({ sandbox, killGraceMs }, {}, { clock }).controller,
      ) as [FakeController, FakeController];
      const forever = "echo begun; while :; do sleep 0.05; done";
      const polite = patient.shell(`trap 'echo asked; exit 3' TERM; ${forever}`, { deadlineMs: 300 });
      const deaf = hasty.shell(`trap '' TERM; ${forever}`, { deadlineMs: 300 });
      await patient.until(() => patient.records.get(polite)?.chunks.stdout.length === 1);
      await hasty.until(() => hasty.records.get(deaf)?.chunks.stdout.length === 1);
      clock.advance(300);
      const [first, second] = [await patient.result(polite), await hasty.result(deaf)];
      expect(first).toMatchObject({ status: "timed_out", errorCode: "execution_timeout", exitCode: 3 });
      expect(patient.log(polite)).toBe("begun\nasked\n");
      expect(second).toMatchObject({ status: "timed_out", errorCode: "execution_timeout" });
    });

    test(`F34, F35: a cancelled task is ended with all that it started (${sandbox})`, async () => {
      const { controller, directory } = benches.start({ sandbox });
      const alive = join(directory, "alive");
      mkdirSync(alive);
      // A child that ignores TERM, and a grandchild that left group and session.
      const lease = controller.shell(
        `trap '' TERM; (trap '' TERM; while :; do echo a > '${alive}/child'; sleep 0.02; done) & setsid sh -c "trap '' TERM; while :; do echo b > '${alive}/daemon'; sleep 0.02; done" & echo begun; wait`,
        { mounts: [{ source: alive, target: alive, readOnly: false }] },
      );
      await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
      await controller.until(() => readdirSync(alive).length === 2);
      controller.cancel(lease);
      expect(await controller.result(lease)).toMatchObject({
        status: "cancelled",
        errorCode: "execution_cancelled",
      });
      for (const name of readdirSync(alive)) writeFileSync(join(alive, name), "");
      await Bun.sleep(150);
      expect(readdirSync(alive).map((name) => readFileSync(join(alive, name), "utf8"))).toEqual(["", ""]);
    });
  }

  test("F35: what a finished task left running is ended, and a pipe it holds does not keep the result back", async () => {
    const { controller } = benches.start({ sandbox: "process" });
    const lease = controller.shell(`setsid ${sleeping} & echo done`);
    expect(await controller.result(lease)).toMatchObject({ status: "succeeded" });
    expect(controller.log(lease)).toBe("done\n");
    expect(processesRunning(sleeping)).toEqual([]);
  });

  test("F37: a cancel with an older fence stops nothing", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("echo begun; sleep 0.6; echo ended", { fencingToken: 5 });
    await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
    controller.direct({ kind: "cancel", leaseId: lease, fencingToken: 4, reason: "stale" });
    expect((await controller.result(lease)).status).toBe("succeeded");
    expect(controller.log(lease)).toBe("begun\nended\n");
  });

  test("a task whose lease is gone is stopped at once", async () => {
    const { controller } = benches.start({ sandbox: "process" });
    const lease = controller.shell(`exec ${sleeping}`, { renewIntervalMs: 100 });
    await until(() => processesRunning(sleeping).length === 1);
    controller.record(lease).state = "gone";
    await until(() => processesRunning(sleeping).length === 0);
    expect(controller.record(lease).results).toEqual([]);
  });

  test("F19: a task is stopped on the runner's own clock when the controller cannot be reached to renew", async () => {
    const clock = new ManualClock(Date.now());
    const { controller } = benches.start({ sandbox: "process" }, { leaseMs: 600 }, { clock });
    const lease = controller.shell(`exec ${sleeping}`, { renewIntervalMs: 100 });
    // Longer in all than the lease that it began with: each renewal counts from when it was asked for.
    for (let renewals = 1; renewals <= 4; renewals++) {
      await controller.until(() => (controller.records.get(lease)?.renewals ?? 0) >= renewals);
      clock.advance(200);
    }
    await until(() => processesRunning(sleeping).length === 1);
    await controller.down();
    clock.advance(600);
    await until(() => processesRunning(sleeping).length === 0);
    // Else the runner waits at its end for somebody to take the result.
    controller.up();
  });

  test("F30: more log than allowed stops the task with its own code, the marker within the limit", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("while :; do echo 'äöü äöü äöü'; done", {
      limits: { logBytes: 100_001, outputBytes: 1e6, artifactBytes: 1e6, artifactCount: 1 },
    });
    const result = await controller.result(lease);
    expect(result).toMatchObject({ status: "failed", errorCode: "execution_output_too_large" });
    const log = controller.log(lease);
    expect(Buffer.byteLength(log)).toBeLessThanOrEqual(100_001);
    expect(log.endsWith("the log limit of 100001 bytes is reached; the task was stopped]\n")).toBe(true);
    expect(log).not.toContain("\uFFFD");
  });

  test("F31: bytes that are no UTF-8 stay as they are in the log and in its artifact", async () => {
    const { controller } = benches.start();
    const lease = controller.shell(
      "printf 'a\\377\\376\\303('; printf '\\200\\n'; head -c 70000 /dev/zero | tr '\\0' '\\377'",
    );
    const result = await controller.result(lease);
    const expected = Buffer.concat([
      Buffer.from([0x61, 0xff, 0xfe, 0xc3, 0x28, 0x80, 0x0a]),
      Buffer.alloc(70_000, 0xff),
    ]);
    expect(Buffer.concat(controller.record(lease).chunks.stdout)).toEqual(expected);
    const artifact = controller.artifacts.get(/[0-9a-f]{64}/.exec(result.stdoutRef!)![0])!;
    expect(Buffer.from(Bun.zstdDecompressSync(artifact))).toEqual(expected);
  });

  test("F52: a lease that reaches a runner while it is told to drain is given back unrun", async () => {
    const { controller } = benches.start({}, { heartbeatIntervalMs: 50 });
    const before = controller.shell("true");
    await controller.result(before);
    controller.direct({ kind: "drain", reason: "of the test" });
    await controller.until(() => controller.heartbeats.at(-1)?.status === "draining");
    // The claim that was waiting all the while is answered.
    const lease = controller.shell("echo ran");
    await controller.until(() => controller.records.get(lease)?.state === "rejected");
    expect(controller.record(lease)).toMatchObject({
      starts: 0,
      rejected: expect.stringContaining("draining"),
    });
  });

  test("a runner that drains lets its tasks end; one that stops ends them and reports it", async () => {
    const { controller, runner } = benches.start();
    const lease = controller.shell("echo begun; sleep 0.5; echo ended");
    await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
    await runner.stop({ drain: true });
    expect(controller.record(lease).results[0]).toMatchObject({ status: "succeeded" });
    expect(controller.drains.length).toBe(1);

    const second = benches.start();
    const running = second.controller.shell("echo begun; sleep 60");
    await second.controller.until(() => second.controller.records.get(running)?.chunks.stdout.length === 1);
    await second.runner.stop();
    expect(second.controller.record(running).results[0]).toMatchObject({ status: "cancelled" });
  });
});

describe("the wire", () => {
  test("F68: 100 MB on both streams at once arrive whole, whatever the order", async () => {
    const { controller } = benches.start();
    const lease = controller.shell(
      "head -c 100000000 /dev/zero | tr '\\0' 'o' & head -c 100000000 /dev/zero | tr '\\0' 'e' >&2; wait",
      { limits: { logBytes: 300e6, outputBytes: 0, artifactBytes: 0, artifactCount: 0 } },
    );
    expect((await controller.result(lease, 60_000)).status).toBe("succeeded");
    for (const [stream, letter] of [
      ["stdout", "o"],
      ["stderr", "e"],
    ] as const) {
      const bytes = Buffer.concat(controller.record(lease).chunks[stream]);
      expect(bytes.length).toBe(100_000_000);
      expect(sha256(bytes)).toBe(sha256(Buffer.alloc(100_000_000, letter)));
    }
  }, 60_000);

  test("F20: a controller that is away for a while loses nothing and repeats nothing", async () => {
    const { controller, directory } = benches.start({}, { leaseMs: 20_000 });
    const count = join(directory, "count");
    writeFileSync(count, "");
    const lease = controller.shell(
      `echo x >> '${count}'; for i in $(seq 1 60); do echo line $i; sleep 0.02; done`,
      {
        mounts: [{ source: count, target: count, readOnly: false }],
      },
    );
    await controller.until(() => (controller.records.get(lease)?.chunks.stdout.length ?? 0) > 0);
    await controller.down();
    await Bun.sleep(1_500);
    controller.up();
    expect((await controller.result(lease)).status).toBe("succeeded");
    const lines = Array.from({ length: 60 }, (_, i) => `line ${i + 1}\n`).join("");
    expect(controller.log(lease)).toBe(lines);
    expect(readFileSync(count, "utf8")).toBe("x\n");
  });

  test("F21: every message whose answer is lost once is sent again and counts once", async () => {
    const { controller, directory } = benches.start();
    const count = join(directory, "count");
    writeFileSync(count, "");
    const lost = new Set<string>();
    controller.intercept = (path) => {
      if (lost.has(path) || path.endsWith("heartbeat")) return null;
      lost.add(path);
      return "lose-answer";
    };
    const lease = controller.shell(
      `echo x >> '${count}'; echo out; echo err >&2; echo data > file; until grep -q renewed '${count}'; do sleep 0.02; done`,
      {
        mounts: [{ source: count, target: count, readOnly: false }],
        artifacts: [{ path: "file" }],
        renewIntervalMs: 100,
      },
    );
    await controller.until(() => (controller.records.get(lease)?.renewals ?? 0) > 1);
    appendFileSync(count, "renewed\n");
    const result = await controller.result(lease);
    await controller.until(() => controller.record(lease).results.length === 2);
    expect(controller.record(lease).results[1]).toEqual(result);
    expect(result).toMatchObject({ status: "succeeded" });
    expect([...lost].sort()).toEqual([
      "/runner/challenge",
      "/runner/claim",
      "/runner/register",
      "/runner/task/*/artifact",
      "/runner/task/*/complete",
      "/runner/task/*/log",
      "/runner/task/*/renew",
      "/runner/task/*/started",
    ]);
    expect(controller.record(lease).starts).toBe(1);
    expect(controller.log(lease)).toBe("out\n");
    expect(readFileSync(count, "utf8")).toBe("x\nrenewed\n");
  });

  test("a lease that is offered twice runs once", async () => {
    const { controller, directory } = benches.start();
    const count = join(directory, "count");
    writeFileSync(count, "");
    const script = `echo x >> '${count}'; sleep 0.3`;
    const mounts = [{ source: count, target: count, readOnly: false }];
    const lease = controller.shell(script, { mounts });
    controller.shell(script, { mounts, leaseId: lease });
    await controller.result(lease);
    controller.shell(script, { mounts, leaseId: lease });
    const after = controller.shell("true");
    await controller.result(after);
    await Bun.sleep(100);
    expect(readFileSync(count, "utf8")).toBe("x\n");
  });

  test("a session that is gone is made anew, and running leases go on", async () => {
    const { controller } = benches.start();
    const lease = controller.shell("echo begun; sleep 0.8; echo ended");
    await controller.until(() => controller.records.get(lease)?.chunks.stdout.length === 1);
    controller.forgetSession();
    expect((await controller.result(lease)).status).toBe("succeeded");
    expect(controller.log(lease)).toBe("begun\nended\n");
    expect(controller.registrations.length).toBe(2);
    expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
  });

  test("work for every slot is taken at once, and no more than that", async () => {
    const { controller, directory } = benches.start({ slots: 3, sandbox: "process" });
    const gate = join(directory, "gate");
    const script = `echo begun; until test -e '${gate}'; do sleep 0.02; done`;
    const leases = Array.from({ length: 7 }, () => controller.shell(script));
    await controller.until(() => controller.records.size === 3);
    await Bun.sleep(150);
    expect(controller.records.size).toBe(3);
    writeFileSync(gate, "");
    for (const lease of leases) expect((await controller.result(lease)).status).toBe("succeeded");
  });

  test("an audit directive is answered with what the runner runs with", async () => {
    const { controller, runner } = benches.start({ commands: ["sh"], secrets: { db: { env: "NOT_SET" } } });
    await runner.ready;
    controller.direct({ kind: "audit" });
    await controller.until(() => controller.audits.length === 1);
    const [registered] = controller.registrations;
    expect(controller.audits[0]).toMatchObject({
      commands: ["sh"],
      secretBindings: ["db"],
      configHash: registered!.configHash,
      binaryDigest: registered!.binaryDigest,
    });
  });

  test("a refused first registration ends the runner with the reason", async () => {
    const { runner } = benches.start({}, {}, { enrolmentToken: "wrong" });
    expect(runner.closed).rejects.toMatchObject({ code: "unauthenticated" });
    await runner.closed.catch(() => {});
  });
});

describe("the data directory", () => {
  test("F48: a runner without room on its disk says that it is unhealthy and takes no work", async () => {
    const { controller, runner } = benches.start({ minimumFreeBytes: Number.MAX_SAFE_INTEGER });
    await runner.ready;
    const lease = controller.shell("true");
    await controller.until(() => controller.heartbeats.length > 1);
    expect(controller.heartbeats.map((heartbeat) => heartbeat.status)).not.toContain("ready");
    expect(controller.heartbeats[0]!.status).toBe("unhealthy");
    expect(controller.records.has(lease)).toBe(false);
  });

  test("a second runner on it is refused while the first lives", async () => {
    const bench = benches.start();
    await bench.runner.ready;
    const second = bench.restart();
    expect(second.closed).rejects.toMatchObject({ code: "conflict" });
    await second.closed.catch(() => {});
  });

  test("F48: a damaged journal is set aside, and the runner stays down until somebody removed it", async () => {
    const bench = benches.start();
    await bench.runner.ready;
    await bench.runner.stop();
    writeFileSync(join(bench.data, "journal.db"), "not a database, not even close to one".repeat(200));
    for (let round = 0; round < 2; round++) {
      expect(() => new Journal(bench.data)).toThrow(/journal/);
    }
    expect(readdirSync(bench.data).some((name) => name.startsWith("journal.damaged-"))).toBe(true);
    appendFileSync(join(bench.data, "note"), "");
  });
});
