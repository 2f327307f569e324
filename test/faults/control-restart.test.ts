import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testCertificates } from "../../src/calls/testing/certificates.ts";
import { runBinary, type Sandbox, sandbox } from "../support/binary.ts";
import { ask, enroll, HandRunner, resultOf } from "../support/hand-runner.ts";
import { ownPort } from "../support/port.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

setDefaultTimeout(60_000);

/** Roles of one store as processes of the executable; each may have a runtime directory of its own. */
function roles(box: Sandbox) {
  const started: Started[] = [];
  return {
    async start(args: string[], runtime = "run"): Promise<Started> {
      const directory = join(box.path, runtime);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const role = await startBinary(args, { ...box.env, XDG_RUNTIME_DIR: directory }, box.path);
      started.push(role);
      return role;
    },
    async end() {
      for (const role of started.reverse()) await role.stop();
      box.remove();
    },
  };
}

const start = async (box: Sandbox, id: string) => {
  const ran = await runBinary(["workflow", "start", "one.yaml", "--id", id], { env: box.env, cwd: box.path });
  if (ran.code !== 0) throw new Error(ran.stderr);
};
const DOCUMENT = `document: { dsl: "1.0.3", namespace: t, name: one, version: 1.0.0 }
do:
  - work:
      run: { shell: { command: "true" } }
`;
const finished = (box: Sandbox, id: string) =>
  eventually(
    () => ask(box, "run", "get", id),
    ({ status }) => status === "succeeded",
  );

async function connected(box: Sandbox, url: string, id = "r") {
  const runner = new HandRunner(url, id);
  expect((await runner.register(await enroll(box, id))).status).toBe(200);
  return runner;
}

test("F10, F7: kill -9 of the controller: sessions and live leases go on with the next one, and nothing that was answered is lost", async () => {
  const box = sandbox("controller-killed");
  const all = roles(box);
  try {
    await Bun.write(join(box.path, "one.yaml"), DOCUMENT);
    await all.start(["orchestrator"]);
    const first = await all.start(["controller", "--port", String(ownPort())]);
    const runner = await connected(box, first.ready["url"]!);
    await start(box, "a");
    const lease = await runner.lease();
    expect((await runner.started(lease)).status).toBe(200);
    await first.kill();
    const port = new URL(first.ready["url"]!).port;
    await all.start(["controller", "--port", port]);
    expect((await runner.beat()).status).toBe(200);
    expect((await runner.task(lease, "renew")).status).toBe(200);
    // A registration that was answered is remembered: its challenge is of no second use, its key is known.
    expect(await runner.register()).toMatchObject({ status: 200, body: { generation: 2 } });
    expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
    await finished(box, "a");
    expect((await ask(box, "audit", "verify"))["ok"]).toBe(true);
  } finally {
    await all.end();
  }
});

test("F4: a result that comes while there is no orchestrator is kept, and accepted once when there is one again", async () => {
  const box = sandbox("orchestrator-away");
  const all = roles(box);
  try {
    await Bun.write(join(box.path, "one.yaml"), DOCUMENT);
    const orchestrator = await all.start(["orchestrator"]);
    const controller = await all.start(["controller", "--port", "0"]);
    const runner = await connected(box, controller.ready["url"]!);
    await start(box, "a");
    const lease = await runner.lease();
    await runner.started(lease);
    await orchestrator.kill();
    expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
    expect(await ask(box, "run", "get", "a")).toMatchObject({ status: "running" });
    await all.start(["orchestrator"]);
    await finished(box, "a");
    expect((await runner.task(lease, "complete", resultOf(lease))).status).toBe(200);
    const entries = (await ask(box, "audit", "tail", "--action", "result.accepted"))["entries"] as unknown[];
    expect(entries).toHaveLength(1);
  } finally {
    await all.end();
  }
});

test("F5: roles that cannot wake each other come to the same end, a little later", async () => {
  const box = sandbox("no-waking");
  const all = roles(box);
  try {
    await Bun.write(join(box.path, "one.yaml"), DOCUMENT);
    await all.start(["orchestrator"]);
    const controller = await all.start(["controller", "--port", "0"], "elsewhere");
    const runner = await connected(box, controller.ready["url"]!);
    const waiting = runner.lease();
    await start(box, "a");
    const lease = await waiting;
    await runner.started(lease);
    await runner.task(lease, "complete", resultOf(lease));
    await finished(box, "a");
    // A directive reaches a held heartbeat without a message between the processes, too.
    const held = runner.beat({ waitMs: 10_000 });
    await ask(box, "runners", "drain", "r");
    expect((await held).body["directives"]).toMatchObject([{ kind: "drain" }]);
  } finally {
    await all.end();
  }
});

test("mutual TLS: a runner with a certificate of the authority works, one without gets no answer at all", async () => {
  const box = sandbox("mutual-tls");
  const all = roles(box);
  try {
    const made = testCertificates("localhost", "runner");
    const stranger = testCertificates("runner");
    const write = (name: string, text: string) => writeFileSync(join(box.path, name), text, { mode: 0o600 });
    write("ca.pem", made.ca);
    write("server.pem", made.of["localhost"]!.cert);
    write("server.key", made.of["localhost"]!.key);
    write("runner.pem", made.of["runner"]!.cert);
    write("runner.key", made.of["runner"]!.key);
    write("stranger.pem", stranger.of["runner"]!.cert);
    write("stranger.key", stranger.of["runner"]!.key);
    const tls = ["--tls-cert", "server.pem", "--tls-key", "server.key", "--tls-client-ca", "ca.pem"];
    const controller = await all.start(["controller", "--port", "0", "--host", "localhost", ...tls]);
    const url = controller.ready["url"]!;
    expect(url).toStartWith("https://");
    const token = await enroll(box, "r", "--host-id", "h");
    write("r.token", token);
    const args = ["runner", "--controller", url, "--token-file", "r.token", "--id", "r", "--host-id", "h"];
    const trust = ["--tls-ca", "ca.pem"];
    const real = await all.start([...args, ...trust, "--tls-cert", "runner.pem", "--tls-key", "runner.key"]);
    expect(real.ready["id"]).toBe("r");
    const { ca } = made;
    const health = (more: object) =>
      fetch(`${url}/health`, { tls: { ca, ...more } } as RequestInit).then(
        ({ status }) => status,
        () => "no answer",
      );
    const { cert, key } = made.of["runner"]!;
    expect(await health({ cert, key })).toBe(200);
    expect(await health({})).toBe("no answer");
    expect(await health(stranger.of["runner"]!)).toBe("no answer");

    // Whoever does not know the authority is told so at once, and not asked to wait.
    const untold = await runBinary([...args, "--data-dir", join(box.path, "untold")], {
      env: box.env,
      cwd: box.path,
    });
    expect(untold.code).toBe(2);
    expect(untold.stderr).toContain("its certificate is not trusted");
    expect(untold.stderr).toContain("--tls-ca");
    const file = `version: 1\nrunnerId: r\ncontrollerUrl: ${url}\ntls: {ca: ${join(box.path, "stranger.pem")}}\n`;
    write("stranger-ca.yaml", file);
    const doctor = await runBinary(["runner", "doctor", "--config", "stranger-ca.yaml", "--json"], {
      env: { ...box.env, LIGHTFLOW_RUNNER_SANDBOX: "process" },
      cwd: box.path,
    });
    expect(doctor.code).toBe(1);
    const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string }[] };
    expect(checks.find(({ name }) => name === "controller")).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("its certificate is not trusted"),
      remedy: expect.stringContaining("tls: {ca:"),
    });
  } finally {
    await all.end();
  }
});

test("F28: an upload that a broken connection cut goes on with the next controller, and its result counts only when it is whole", async () => {
  const box = sandbox("upload-cut");
  const all = roles(box);
  try {
    await Bun.write(join(box.path, "one.yaml"), DOCUMENT);
    await all.start(["orchestrator"]);
    const first = await all.start(["controller", "--port", String(ownPort())]);
    const url = first.ready["url"]!;
    const runner = await connected(box, url);
    await start(box, "a");
    const lease = await runner.lease();
    await runner.started(lease);
    const bytes = crypto.getRandomValues(new Uint8Array(300_000));
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    const artifact = (query: Record<string, string>, init: RequestInit) => {
      const about = new URLSearchParams({
        messageId: crypto.randomUUID(),
        attempt: String(lease.attempt),
        fencingToken: String(lease.fencingToken),
        ...query,
      });
      return fetch(`${url}/runner/task/${lease.leaseId}/artifact/${sha256}?${about}`, {
        ...init,
        headers: { authorization: `Bearer ${runner.session.claimToken}`, "lightflow-protocol": "1.0" },
      });
    };
    const received = async () =>
      ((await (await artifact({ received: "1" }, {})).json()) as { offset: number }).offset;
    const size = String(bytes.length);
    const put = (offset: number, end: number) =>
      artifact({ size, offset: String(offset) }, { method: "PUT", body: bytes.slice(offset, end) });
    expect((await put(0, 120_000)).status).toBe(503);
    await first.kill();
    await all.start(["controller", "--port", new URL(url).port]);
    expect(await received()).toBe(120_000);
    const named = {
      name: "big",
      sha256,
      size: bytes.length,
      mediaType: "application/octet-stream",
      uri: `artifact://sha256/${sha256}`,
    };
    const report = resultOf(lease, { artifactRefs: [named] });
    expect((await runner.task(lease, "complete", report)).body["code"]).toBe("artifact_digest_mismatch");
    expect((await put(120_000, bytes.length)).status).toBe(200);
    expect(await received()).toBe(bytes.length);
    expect((await runner.task(lease, "complete", report)).status).toBe(200);
    await finished(box, "a");
  } finally {
    await all.end();
  }
});
