import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runnerBenches } from "../../test/support/runner.ts";
import { sha256 } from "../base/canonical.ts";
import { newId } from "../base/ids.ts";

setDefaultTimeout(30_000);

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
