import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

setDefaultTimeout(120_000);

async function call(url: string, body?: unknown) {
  const response = await fetch(
    url,
    body === undefined
      ? {}
      : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } },
  );
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("orchestrator, controller, runner and gateway as four processes run a workflow; without an orchestrator a start is refused", async () => {
  const box = sandbox("roles");
  const roles: Started[] = [];
  const role = async (...args: string[]) => {
    const started = await startBinary(args, box.env, box.path);
    roles.push(started);
    return started;
  };
  try {
    const gateway = await role("serve", "--port", "0");
    const start = () =>
      call(`${gateway.ready["url"]}/runs/start`, { workflow_asset_id: "workflow.self_check", run_id: "r" });
    expect(await start()).toMatchObject({ status: 503, body: { code: "no_orchestrator" } });

    await role("orchestrator");
    const controller = await role("controller", "--port", "0");
    const enrolled = await runBinary(["runner", "enroll", "far", "--out", "far.token"], {
      env: box.env,
      cwd: box.path,
    });
    expect(enrolled.code).toBe(0);
    expect(enrolled.stdout + enrolled.stderr).not.toContain(
      await Bun.file(join(box.path, "far.token")).text(),
    );

    expect(await start()).toMatchObject({ status: 202, body: { run_id: "r", created: true } });
    const runner = await role(
      "runner",
      "--controller",
      controller.ready["url"]!,
      "--token-file",
      "far.token",
      "--id",
      "far",
    );
    expect(runner.ready["id"]).toBe("far");
    const view = await eventually(
      () => call(`${gateway.ready["url"]}/runs/r`),
      ({ body }) => body["status"] !== "running",
    );
    expect(view.body["status"]).toBe("succeeded");
    const { body } = await call(`${gateway.ready["url"]}/runs/r/steps`);
    expect(JSON.stringify(body)).toContain('"runner_id":"far"');

    const refused = await call(`${gateway.ready["url"]}/runs/start`, {
      workflow_asset_id: "workflow.self_check",
      project_root: "/",
    });
    expect(refused).toMatchObject({ status: 403, body: { code: "forbidden" } });
  } finally {
    for (const started of roles.reverse()) await started.stop();
    box.remove();
  }
});

test("SR-1.8: a token file that others may read, or a link to one, is refused before anything is sent", async () => {
  const box = sandbox("token");
  try {
    writeFileSync(join(box.path, "open.token"), "secret", { mode: 0o644 });
    writeFileSync(join(box.path, "closed.token"), "secret", { mode: 0o600 });
    symlinkSync(join(box.path, "closed.token"), join(box.path, "link.token"));
    for (const file of ["open.token", "link.token", "missing.token"]) {
      const ran = await runBinary(
        ["runner", "--controller", "http://127.0.0.1:1", "--token-file", file, "--id", "r"],
        { env: box.env, cwd: box.path },
      );
      expect({ file, code: ran.code }).toEqual({ file, code: 2 });
      expect(ran.stderr).toContain(file);
    }
  } finally {
    box.remove();
  }
});

test("two hosts on one store: the second `up` is refused and says what to do; two starts share one host", async () => {
  const box = sandbox("hosts");
  try {
    mkdirSync(join(box.path, "lightflow/workflows"), { recursive: true });
    const both = await Promise.all(
      ["a", "b"].map((id) =>
        runBinary(["run", "start", "workflow.self_check", "--id", id, "--watch"], {
          env: box.env,
          cwd: box.path,
        }),
      ),
    );
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    const host = await startBinary(["up", "--port", "0", "--controller-port", "0"], box.env, box.path);
    const second = await runBinary(["up", "--port", "0", "--controller-port", "0"], {
      env: box.env,
      cwd: box.path,
    });
    expect(second.code).toBe(2);
    expect(second.stderr).toContain("another lightflow host works on");
    expect(await host.stop()).toBe(143);
  } finally {
    box.remove();
  }
});
