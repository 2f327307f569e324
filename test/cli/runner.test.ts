import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sha256 } from "../../src/base/canonical.ts";
import { childEnvironment } from "../../src/base/child-env.ts";
import { testLayout } from "../../src/runner/images/testing.ts";
import { E2bServer } from "../../src/runner/sandboxes/remote/testing/e2b-server.ts";
import { KubernetesServer } from "../../src/runner/sandboxes/remote/testing/kubernetes-server.ts";
import { binary, runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { FakeController } from "../support/fake-controller.ts";
import { ownPort } from "../support/port.ts";

setDefaultTimeout(60_000);

let box: Sandbox;
let controller: FakeController;
const children: Bun.Subprocess[] = [];
beforeAll(() => {
  box = sandbox("runner cli");
  controller = new FakeController({ heartbeatIntervalMs: 200 });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});
afterAll(async () => {
  await controller.close();
  box.remove();
});

let files = 0;
/** A runner.yaml of a runner with a data directory of its own, unless one is given. */
function runnerFile(more: Record<string, unknown> = {}): string {
  const token = join(box.path, `token-${++files}`);
  writeFileSync(token, controller.enrolmentToken, { mode: 0o600 });
  const path = join(box.path, `runner-${files}.yaml`);
  const config = {
    version: 1,
    controllerUrl: controller.url,
    credentialFile: token,
    runnerId: "local",
    hostId: "localhost",
    dataDirectory: join(box.path, `data-${files}`),
    sandbox: "process",
    slots: 2,
    mounts: [box.path],
    ...more,
  };
  writeFileSync(path, JSON.stringify(config, null, 1));
  return path;
}

async function start(config: string, executable?: string) {
  const child = Bun.spawn([executable ?? (await binary()), "runner", "--config", config, "--json"], {
    env: childEnvironment(box.env),
    cwd: box.path,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  children.push(child);
  return child;
}

const lf = (...args: string[]) => runBinary(args, { env: box.env, cwd: box.path });

test("a runner.yaml is all that a runner needs: it registers, beats, runs, is probed, and drains on SIGTERM", async () => {
  const config = runnerFile({ healthAddress: `127.0.0.1:${ownPort()}` });
  expect((await lf("runner", "probe", "--config", config)).code).not.toBe(0);
  const child = await start(config);
  const beats = controller.heartbeats.length;
  await controller.until(() => controller.heartbeats.length > beats + 2, "heartbeats of the executable");
  expect((await lf("runner", "probe", "--config", config)).code).toBe(0);
  expect((await lf("runner", "probe", "--config", config, "--live")).code).toBe(0);
  const lease = controller.shell("echo begun; sleep 0.7; echo ended");
  await controller.until(() => controller.records.get(lease)?.state === "started");
  child.kill("SIGTERM");
  expect((await controller.result(lease)).status).toBe("succeeded");
  expect(controller.log(lease)).toBe("begun\nended\n");
  expect(await child.exited).toBe(143);
  expect(controller.drains.length).toBeGreaterThan(0);
});

test("SR-1.8: a credential that others may read, or behind a link, keeps the runner from starting", async () => {
  const open = join(box.path, "open-token");
  writeFileSync(open, "token", { mode: 0o600 });
  chmodSync(open, 0o640);
  const link = join(box.path, "link-token");
  writeFileSync(`${link}-target`, "token", { mode: 0o600 });
  symlinkSync(`${link}-target`, link);
  const registrations = controller.registrations.length;
  for (const credentialFile of [open, link, join(box.path, "nothing")]) {
    const { code, stderr } = await lf("runner", "--config", runnerFile({ credentialFile }));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/may be read by others|is a symbolic link|does not exist/);
  }
  expect(controller.registrations.length).toBe(registrations);
});

test("SR-3.3: a file or flags with anything else in them are refused: an event source above all", async () => {
  for (const extra of [{ eventSource: "kafka://x" }, { startEvents: true }, { controlerUrl: "http://x" }]) {
    const { code, stderr } = await lf("runner", "--config", runnerFile(extra));
    expect(code).not.toBe(0);
    expect(stderr).toContain("unknown field");
  }
  const mixed = await lf("runner", "--config", runnerFile(), "--id", "other");
  expect(mixed.code).toBe(2);
  expect(mixed.stderr).toContain("--id does not go with --config");
  expect((await lf("runner", "--controller", controller.url)).stderr).toContain("missing --id");
});

test("an example lease runs as it is printed, and `runner exec` leaves nothing behind, not even when it is ended", async () => {
  const temporary = mkdtempSync(join(box.path, "tmp-"));
  const env = { ...box.env, TMPDIR: temporary, LIGHTFLOW_RUNNER_SANDBOX: "process" };
  const example = await lf("runner", "exec", "--example");
  const lease = JSON.parse(example.stdout) as Record<string, unknown>;
  const exec = (value: unknown, ...args: string[]) =>
    runBinary(["runner", "exec", "-", ...args], { env, cwd: box.path, stdin: JSON.stringify(value) });
  const ran = await exec({ ...lease, artifacts: [{ path: "*.txt" }] });
  expect(JSON.parse(ran.stdout)).toMatchObject({ status: "succeeded" });
  expect(ran.stderr).toContain("hello");
  const kept = await exec({
    ...lease,
    artifacts: [{ path: "out.txt" }],
    task: { type: "run.shell", command: "sh", arguments: ["-c", "echo x >out.txt"], environment: {} },
  });
  expect([kept.code, kept.stderr]).toEqual([0, expect.stringContaining("--data-dir")]);
  const child = Bun.spawn([await binary(), "runner", "exec", "-"], {
    env: childEnvironment(env),
    cwd: box.path,
    stdin: new Blob([
      JSON.stringify({
        ...lease,
        task: {
          type: "run.shell",
          command: "sh",
          arguments: ["-c", "echo begun; sleep 60"],
          environment: {},
        },
      }),
    ]),
    stdout: "pipe",
    stderr: "pipe",
  });
  children.push(child);
  const stderr = child.stderr.getReader();
  let shown = "";
  while (!shown.includes("begun")) shown += Buffer.from((await stderr.read()).value!).toString();
  child.kill("SIGTERM");
  expect((JSON.parse(await child.stdout.text()) as { status: string }).status).toBe("cancelled");
  expect(await child.exited).not.toBe(0);
  expect(readdirSync(temporary).filter((name) => name.startsWith("lightflow-"))).toEqual([]);
  rmSync(temporary, { recursive: true });
});

test("the clients of a cluster and of a sandbox service come out of the executable, each where it is used", async () => {
  const cluster = new KubernetesServer("cluster-token");
  const service = new E2bServer("service-key");
  const secret = (name: string, value: string): string => {
    const path = join(box.path, name);
    writeFileSync(path, value, { mode: 0o600 });
    return path;
  };
  try {
    const configs = {
      kubernetes: runnerFile({
        sandbox: "kubernetes",
        kubernetes: {
          apiServer: cluster.url,
          tokenFile: secret("cluster", "cluster-token"),
          namespace: "tasks",
          image: `registry.example/task@sha256:${"0".repeat(64)}`,
          volumeClaim: "runner-data",
        },
      }),
      cubesandbox: runnerFile({
        sandbox: "cubesandbox",
        secrets: { key: { file: secret("service", "service-key") } },
        cube: { url: service.url, keyReference: "key", template: "base" },
      }),
    };
    for (const [name, config] of Object.entries(configs)) {
      const { stdout } = await lf("runner", "doctor", "--config", config, "--json");
      expect([name, stdout]).toEqual([
        name,
        expect.stringMatching(/lists (?:jobs, pods and secrets|sandboxes)/),
      ]);
    }
    expect(cluster.asked).toEqual(["GET jobs", "GET pods", "GET secrets"]);
  } finally {
    await cluster.close();
    await service.close();
  }
});

test("doctor and describe read the same file, and a unit starts it", async () => {
  const config = runnerFile({ secrets: { deploy: { env: "NOT_SET_ANYWHERE" } } });
  const { stdout, code } = await lf("runner", "doctor", "--config", config, "--json");
  const checks = (JSON.parse(stdout) as { checks: { name: string; status: string }[] }).checks;
  const status = (name: string) => checks.find((check) => check.name === name)?.status;
  expect([status("configuration"), status("credential"), status("secret deploy")]).toEqual([
    "ok",
    "ok",
    "fail",
  ]);
  expect(code).not.toBe(0);
  const described = JSON.parse((await lf("runner", "describe", "--config", config)).stdout) as {
    runnerId: string;
    snapshot: { secretBindings: string[] };
  };
  expect([described.runnerId, described.snapshot.secretBindings]).toEqual(["local", ["deploy"]]);
  const unit = await lf("runner", "install", "--systemd", "--config", config, "--out", "-");
  const program = (await binary()).includes(" ") ? `"${await binary()}"` : await binary();
  expect(unit.stdout).toContain(`ExecStart=${program} runner --config "${config}"`);
  for (const line of ["NoNewPrivileges=yes", "Delegate=cpu memory pids", "KillMode=mixed"])
    expect(unit.stdout).toContain(line);
  // What the file names outside the state directory is in the unit's reach, and it may take as long as the file says.
  const special = await lf(
    ...["runner", "install", "--systemd", "--out", join(box.path, "special.service"), "--config"],
    runnerFile({
      dataDirectory: "/srv/runner data",
      drainMs: 120_000,
      mounts: ["/srv/source"],
      secrets: { deploy: { credential: "deploy-key" } },
    }),
  );
  expect(JSON.parse(special.stdout).next).toContain("install -d -o lightflow -m 700 '/srv/runner data'");
  const written = readFileSync(join(box.path, "special.service"), "utf8");
  for (const line of [
    'ReadWritePaths="/srv/runner data"',
    "TimeoutStopSec=140",
    "# A secret comes from here: LoadCredential=deploy-key:/path/to/it",
  ])
    expect(written.split("\n")).toContain(line);
  const broken = await lf("runner", "install", "--systemd", "--config", join(box.path, "no.yaml"));
  expect(broken.code).not.toBe(0);
});

test("images and frozen tasks of a runner are found where its file says", async () => {
  const layer = join(box.path, "layer");
  mkdirSync(layer);
  writeFileSync(join(layer, "file"), "x");
  const layout = testLayout(join(box.path, "layout"), [layer]);
  const imagesDirectory = join(box.path, "own images");
  const config = runnerFile({ imagesDirectory });
  const brought = await lf("runner", "import", layout, "--name", "tool", "--config", config);
  expect([brought.code, brought.stderr]).toEqual([0, ""]);
  expect(readdirSync(imagesDirectory).length).toBeGreaterThan(0);
  expect(JSON.parse((await lf("runner", "images", "--config", config)).stdout)).toMatchObject({
    images: [{ name: "tool" }],
  });
  expect(JSON.parse((await lf("runner", "frozen", "--config", config)).stdout)).toEqual({ frozen: [] });
  const both = await lf("runner", "images", "--config", config, "--data-dir", box.path);
  expect([both.code, both.stderr]).toEqual([
    2,
    expect.stringContaining("--data-dir does not go with --config"),
  ]);
});

test("F69: a newer executable started on the same data directory waits for the older one to drain, and goes on", async () => {
  const config = runnerFile();
  const older = await start(config);
  const running = controller.shell("sleep 0.8; echo of-the-older");
  await controller.until(() => controller.records.get(running)?.state === "started");
  const newerPath = join(box.path, "lightflow-next");
  copyFileSync(await binary(), newerPath);
  const newer = await start(config, newerPath);
  expect((await controller.result(running)).status).toBe("succeeded");
  expect(await older.exited).toBe(143);
  const after = await controller.result(controller.shell("echo of-the-newer"));
  expect(after.status).toBe("succeeded");
  expect(newer.exitCode).toBe(null);
  // The same executable a second time is a mistake, and disturbs nobody.
  const again = await runBinary(["runner", "--config", config], { env: box.env, executable: newerPath });
  expect(again.stderr).toContain("another runner is using");
  expect((await controller.result(controller.shell("true"))).status).toBe("succeeded");
  // A file that is exchanged under the running runner is in its next heartbeat, for the controller to judge.
  const digest = () => controller.heartbeats.at(-1)!.binaryDigest;
  const before = digest();
  writeFileSync(`${newerPath}.other`, "another executable", { mode: 0o755 });
  renameSync(`${newerPath}.other`, newerPath);
  await controller.until(() => digest() !== before);
  expect(digest()).toBe(`sha256:${sha256("another executable")}`);
});
