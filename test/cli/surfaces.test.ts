import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkProject } from "../../src/assets/index.ts";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";

const box = sandbox("lf surfaces");
const project = join(box.path, "project");
const lf = (args: string[], env: Record<string, string> = {}) =>
  runBinary(args, { env: { ...box.env, ...env }, cwd: project });
let host: Started;

beforeAll(async () => {
  await runBinary(["init", "project"], { env: box.env, cwd: box.path });
  host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], box.env, project);
});
afterAll(async () => {
  await host.stop();
  box.remove();
});

test("a token is printed once, lets in, is listed without its secret, and ends when it is revoked", async () => {
  const made = JSON.parse(
    (await lf(["token", "create", "ci", "--scope", "read", "--role", "builder"])).stdout,
  ) as { token: string; id: string };
  const ask = () =>
    fetch(`${host.ready["gateway"]}/runs`, { headers: { authorization: `Bearer ${made.token}` } });
  expect((await ask()).status).toBe(200);
  const listed = (await lf(["token", "list"])).stdout;
  expect(JSON.parse(listed)).toMatchObject({
    tokens: [{ subject: "ci", roles: ["builder"], scopes: ["read"] }],
  });
  expect(listed).not.toContain(made.token.split(".")[1]!);
  expect((await lf(["token", "revoke", made.id])).code).toBe(0);
  expect((await ask()).status).toBe(401);
  expect((await lf(["token", "revoke", "nobody"])).code).toBe(2);
  expect((await lf(["token", "create", "-x", "--scope", "odd"])).code).toBe(2);
  for (const taken of ["orchestrator", "loopback", "runner:builder-1"]) {
    const refused = await lf(["token", "create", taken, "--scope", "read"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("calls somebody else")]);
  }
  // Nothing that was said stays anywhere on disk.
  const store = readFileSync(join(box.env["XDG_STATE_HOME"]!, "lightflow/lightflow.db"), "latin1");
  expect(store).not.toContain(made.token.split(".")[1]!);
});

test("an address that others reach is refused without a token, and a second server on a port is refused", async () => {
  const other = sandbox("lf bind");
  const open = await runBinary(["serve", "--host", "0.0.0.0", "--port", "0"], {
    env: other.env,
    cwd: project,
  });
  expect(open).toMatchObject({ code: 2, stdout: "" });
  expect(open.stderr).toContain("token create");
  const port = new URL(host.ready["gateway"]!).port;
  const second = await runBinary(["serve", "--port", port], { env: other.env, cwd: project });
  expect(second.code).toBe(1);
  expect(second.stderr).toContain("another process has the port");
  const half = await runBinary(["serve", "--port", "0", "--tls-cert", "x.pem"], {
    env: other.env,
    cwd: project,
  });
  expect(half.stderr).toContain("go together");
  other.remove();
});

test("with a certificate it speaks TLS", async () => {
  const made = Bun.spawnSync(
    [
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-keyout",
      "key.pem",
      "-out",
      "cert.pem",
      "-days",
      "1",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ],
    { cwd: box.path },
  );
  expect(made.exitCode).toBe(0);
  const files = ["--tls-cert", join(box.path, "cert.pem"), "--tls-key", join(box.path, "key.pem")];
  const served = await startBinary(["serve", "--port", "0", ...files], box.env, project);
  const ca = readFileSync(join(box.path, "cert.pem"), "utf8");
  expect(served.ready["url"]).toStartWith("https://");
  const health = await fetch(`${served.ready["url"]}/health`, { tls: { ca } } as RequestInit);
  expect(await health.json()).toMatchObject({ status: "ok" });
  await expect(fetch(`${served.ready["url"]}/health`)).rejects.toThrow();
  expect(await served.stop()).toBe(143);
  writeFileSync(join(box.path, "bad.pem"), "no certificate");
  const bad = await lf([
    "serve",
    "--port",
    "0",
    "--tls-cert",
    join(box.path, "bad.pem"),
    "--tls-key",
    join(box.path, "key.pem"),
  ]);
  expect(bad.code).toBe(1);
});

test("a stopping host lets streams end with a reason and takes its socket file away", async () => {
  const own = sandbox("lf stop");
  const up = await startBinary(
    ["up", "--no-ctx", "--no-runner", "--port", "0", "--controller-port", "0"],
    own.env,
    project,
  );
  const start = await fetch(`${up.ready["gateway"]}/runs/start`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ workflow_asset_id: "workflow.hello", run_id: "r" }),
  });
  expect(start.status).toBe(202);
  const stream = await fetch(`${up.ready["gateway"]}/runs/r/stream`);
  const text = stream.text();
  expect(existsSync(up.ready["socket"]!)).toBe(true);
  expect(await up.stop()).toBe(143);
  expect(await text).toEndWith(
    `event: end\ndata: ${JSON.stringify({ reason: "stopping", after: (await text).match(/^id: /gm)!.length })}\n\n`,
  );
  expect(existsSync(up.ready["socket"]!)).toBe(false);
  own.remove();
});

test("a snapshot comes as a frame, the schema and the transports as text", async () => {
  await lf(["run", "start", "workflow.hello", "--id", "snap", "--watch"]);
  const child = Bun.spawn([await binary(), "stream", "snapshot", "snap"], {
    env: childEnvironment(box.env),
    cwd: project,
    stdout: "pipe",
  });
  const frame = new Uint8Array(await new Response(child.stdout).arrayBuffer());
  expect(Buffer.from(frame.slice(4, 8)).toString()).toBe("LFRS");
  const served = await (await fetch(`${host.ready["gateway"]}/runtime/streams/snap/snapshot.fb`)).bytes();
  expect(served.length).toBe(frame.length);
  expect((await lf(["stream", "schema"])).stdout).toContain("Unknown = 0");
  const info = JSON.parse((await lf(["stream", "info"])).stdout) as {
    transports: { name: string; status: string }[];
  };
  expect(info.transports.find(({ name }) => name === "webtransport")).toMatchObject({ status: "planned" });
  expect(await (await fetch(`${host.ready["gateway"]}/runtime/streams`)).json()).toEqual(info);
});

test("an agent speaks MCP on stdin and stdout, against a running host and without one", async () => {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const alone = sandbox("lf mcp");
  for (const env of [box.env, alone.env]) {
    const transport = new StdioClientTransport({
      command: await binary(),
      args: ["mcp"],
      env,
      cwd: project,
      stderr: "inherit",
    });
    const client = new Client({ name: "test", version: "1" });
    await client.connect(transport);
    const id = env === box.env ? "by-host" : "alone";
    const started = await client.callTool({
      name: "start_run",
      arguments: { workflow_asset_id: "workflow.hello", run_id: id },
    });
    expect(started.structuredContent).toMatchObject({ run_id: id, created: true });
    const ended = await client.callTool({ name: "watch_run", arguments: { run_id: id, timeout_ms: 20_000 } });
    expect(ended.structuredContent).toMatchObject({
      status: "succeeded",
      output: { greeting: "Hello, world!" },
    });
    await client.close();
  }
  alone.remove();
});

test("LF-7: an agent writes a workflow, mends what the check tells it, runs it, changes it and runs it again, by its hands alone", async () => {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const own = join(box.path, "by an agent");
  await runBinary(["init", "by an agent"], { env: box.env, cwd: box.path });
  const file = join(own, "lightflow/workflows/welcome.ts");
  // What it knows: the skill. Its first try takes the example, and gets four things wrong.
  const { stdout: skill } = await lf(["skill"]);
  const [, example] = /```ts\n([\s\S]*?)```/.exec(skill)!;
  writeFileSync(
    file,
    example!
      .replaceAll("workflow.hello", "workflow.welcome")
      .replace(/ {2}description: .*\n/, "")
      .replace(".inputs.name)!\" }'],", '.inputs.nobody)!" }\'],\n      output: "text",')
      .replace(".output({ ", ".output({ step: '${ .steps.greeting.output }', "),
  );
  const SAYS = `printf '"%s"' "$1" >"$LIGHTFLOW_OUTPUT"`;
  // What it does about each thing that it may be told, as its model would: nothing but the code and the message leads it.
  const MENDS: Readonly<Record<string, (text: string, message: string) => string>> = {
    meta_missing: (text) =>
      text.replace('kind: "workflow",', 'kind: "workflow",\n  description: "Welcomes somebody.",'),
    input_unknown: (text) => text.replace(".inputs.nobody", ".inputs.name"),
    // The same mistake from its other side.
    input_unused: (text) => text.replace(".inputs.nobody", ".inputs.name"),
    step_unknown: (text) => text.replace(".steps.greeting", ".steps.greet"),
    output_empty: (text) =>
      text
        .replace('command: "echo"', 'command: "sh"')
        .replace("arguments: [", `arguments: ["-c", ${JSON.stringify(SAYS)}, "sh", `)
        .replace('output: "text"', 'output: "json"'),
  };
  const transport = new StdioClientTransport({
    command: await binary(),
    args: ["mcp"],
    env: box.env,
    cwd: own,
    stderr: "inherit",
  });
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(transport);
  const use = async (name: string, given: Record<string, unknown>) =>
    (await client.callTool({ name, arguments: given })).structuredContent as Record<string, unknown>;
  const told: string[] = [];
  for (let round = 0; ; round++) {
    const { diagnostics } = (await use("check_assets", { project_root: own })) as {
      diagnostics: { code: string; message: string }[];
    };
    if (diagnostics.length === 0) break;
    expect(round).toBeLessThan(6);
    for (const { code, message } of diagnostics) {
      told.push(code);
      writeFileSync(file, MENDS[code]!(readFileSync(file, "utf8"), message));
    }
  }
  expect(told[0]).toBe("meta_missing");
  expect(told).toContain("input_unknown");
  expect(told).toContain("step_unknown");
  expect(told).toContain("output_empty");
  const said = async (run: string) => {
    await use("start_run", {
      project_root: own,
      workflow_asset_id: "workflow.welcome",
      run_id: run,
      inputs: { name: "you" },
    });
    return await use("watch_run", { run_id: run, timeout_ms: 20_000 });
  };
  expect(await said("first")).toMatchObject({
    status: "succeeded",
    output: { greeting: "Hello, you!", step: "Hello, you!" },
  });
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("Hello, ", "Welcome, "));
  expect((await use("check_assets", { project_root: own }))["diagnostics"]).toEqual([]);
  expect(await said("second")).toMatchObject({
    status: "succeeded",
    output: { greeting: "Welcome, you!", step: "Welcome, you!" },
  });
  await client.close();
});

test("the skill's own example is a workflow, and its commands are commands", async () => {
  const { code, stdout } = await lf(["skill"]);
  expect(code).toBe(0);
  expect(stdout).toStartWith("---\nname: lightflow\ndescription: ");
  const [, example] = /```ts\n([\s\S]*?)```/.exec(stdout)!;
  const own = join(box.path, "skilled");
  await runBinary(["init", "skilled"], { env: box.env, cwd: box.path });
  writeFileSync(join(own, "lightflow/workflows/hello.ts"), example!);
  expect(checkProject(own).diagnostics).toEqual([]);
  const named = [...stdout.matchAll(/`lightflow ([a-z]+(?: [a-z]+)?)/g)].map((match) => match[1]!.split(" "));
  expect(named.length).toBeGreaterThan(12);
  const runActions = [...stdout.matchAll(/`run ([a-z]+)/g)].map((match) => ["run", match[1]!]);
  expect(runActions.length).toBeGreaterThan(2);
  const help = async (words: string[]) => (await lf([...words, "--help"])).code;
  for (const words of runActions) expect(await help(words), words.join(" ")).toBe(0);
  for (const words of named) {
    const known = (await help(words)) === 0 || (await help(words.slice(0, 1))) === 0;
    expect(known, words.join(" ")).toBe(true);
  }
});

test("a unit runs any role hardened, and an existing one is never replaced by accident", async () => {
  for (const role of ["up", "serve", "orchestrator", "controller", "runner"]) {
    const { stdout } = await lf([
      "install",
      "--systemd",
      "--role",
      role,
      "--project",
      "/srv/my pipelines",
      "--out",
      "-",
      "--",
      "--port",
      "5999",
    ]);
    const program = (await binary()).includes(" ") ? `"${await binary()}"` : await binary();
    expect(stdout).toContain(`ExecStart=${program} ${role} --root "/srv/my pipelines" --port 5999`);
    expect(stdout).toMatch(/^SystemCallFilter=@system-service( @mount seccomp sethostname setdomainname)?$/m);
    for (const line of [
      "NoNewPrivileges=yes",
      "ProtectSystem=strict",
      "UMask=0077",
      "SystemCallArchitectures=native",
    ])
      expect(stdout).toContain(line);
    // A sandbox is made of namespaces, with a host name and a /proc of its own; who makes none may make none. A mount over
    // any part of /proc forbids another /proc to whoever is not root.
    const free = role === "up" || role === "runner" ? "no" : "yes";
    for (const setting of [
      "RestrictNamespaces",
      "ProtectHostname",
      "ProtectKernelLogs",
      "ProtectKernelTunables",
    ])
      expect(stdout).toContain(`\n${setting}=${free}\n`);
    if (free === "no") expect(stdout).not.toMatch(/^(ProcSubset|InaccessiblePaths|ProtectProc=(?!default))/m);
  }
  const out = join(box.path, "unit.service");
  expect((await lf(["install", "--systemd", "--out", out])).code).toBe(0);
  expect(statSync(out).mode & 0o777).toBe(0o644);
  expect((await lf(["install", "--systemd", "--out", out])).code).toBe(2);
  expect((await lf(["install"])).code).toBe(2);
  expect((await lf(["install", "--systemd", "--user", "a b", "--out", "-"])).code).toBe(2);
});

test("the gateway alone acts for the tenant of the token, through the orchestrator that it finds", async () => {
  const own = sandbox("lf apart");
  const orchestrator = await startBinary(["orchestrator"], own.env, project);
  const made = async (tenant: string) =>
    (
      JSON.parse(
        (
          await runBinary(
            ["token", "create", "ci", "--scope", "read", "--scope", "run", "--tenant", tenant],
            { env: own.env, cwd: project },
          )
        ).stdout,
      ) as { token: string }
    ).token;
  const [one, other] = [await made("default"), await made("other")];
  const served = await startBinary(["serve", "--port", "0", "--require-token"], own.env, project);
  const ask = async (token: string, path: string, body?: object) => {
    const response = await fetch(`${served.ready["url"]}${path}`, {
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as never };
  };
  expect((await fetch(`${served.ready["url"]}/ready`)).status).toBe(200);
  const start = { workflow_asset_id: "workflow.hello", run_id: "theirs" };
  expect(await ask(other, "/runs/start", start)).toMatchObject({ status: 202 });
  expect(await ask(other, "/runs/theirs")).toMatchObject({
    status: 200,
    body: { run_id: "theirs" } as never,
  });
  expect((await ask(one, "/runs/theirs")).status).toBe(404);
  expect((await ask(one, "/runs/theirs/cancel", {})).status).toBe(404);
  expect(await ask(other, "/runs/theirs/cancel", {})).toMatchObject({
    body: { status: "cancelled" } as never,
  });
  // The runners' interface has a listener of its own.
  for (const path of ["/runner/claim", "/runner/register", "/runner/heartbeat"]) {
    expect((await ask(one, path, {})).status).toBe(404);
  }
  await orchestrator.stop();
  expect((await fetch(`${served.ready["url"]}/ready`)).status).toBe(503);
  expect((await fetch(`${served.ready["url"]}/health`)).status).toBe(200);
  await served.stop();
  own.remove();
});

test("the API page and its document come out of the executable whole, compressed for who takes it", async () => {
  const ask = (path: string, accept: string) =>
    fetch(`${host.ready["gateway"]}${path}`, {
      headers: { "accept-encoding": accept },
      decompress: false,
    } as RequestInit);
  const root = join(import.meta.dir, "../..");
  const files = {
    "/docs/swagger-ui.js": join(root, "node_modules/swagger-ui-dist/swagger-ui-bundle.js"),
    "/docs/swagger-ui.css": join(root, "node_modules/swagger-ui-dist/swagger-ui.css"),
    "/openapi.yaml": join(root, "openapi/lightflow.yaml"),
  };
  for (const [path, file] of Object.entries(files)) {
    const text = readFileSync(file, "utf8");
    const plain = await ask(path, "identity");
    expect([path, plain.status, plain.headers.get("content-encoding")]).toEqual([path, 200, null]);
    expect((await plain.text()) === text).toBe(true);
    const packed = await ask(path, "gzip");
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    const bytes = await packed.arrayBuffer();
    expect(bytes.byteLength).toBeLessThan(text.length / 2);
    expect(new TextDecoder().decode(Bun.gunzipSync(bytes)) === text).toBe(true);
  }
  const json = await (await ask("/openapi.json", "identity")).json();
  expect(json).toEqual(Bun.YAML.parse(readFileSync(files["/openapi.yaml"], "utf8")));
  expect(await (await ask("/docs", "identity")).text()).toContain("/docs/swagger-ui.js");
});
