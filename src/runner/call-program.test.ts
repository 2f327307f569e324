import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { prerequisite } from "../../test/support/require.ts";
import { type Bench, processesRunning, runnerBenches } from "../../test/support/runner.ts";
import type { Lease, TaskResult } from "../protocol/index.ts";
import { openProvenCgroups, probeOci, probeSandboxes } from "./sandboxes/index.ts";

setDefaultTimeout(90_000);

const benches = runnerBenches();
afterEach(() => benches.close());

const ROOT = join(import.meta.dir, "../..");
/** The SDK's own server, in a sandbox that sees the sources and the runtime that reads them. */
const SERVER = [process.execPath, join(ROOT, "src/calls/testing/mcp-stdio.ts")] as const;
const SEEN = [
  ...new Set([ROOT, dirname(realpathSync(process.execPath)), realpathSync(join(ROOT, "node_modules"))]),
];

let isolated = false;
let contained = false;
beforeAll(async () => {
  const probe = await probeSandboxes({
    dataDirectory: tmpdir(),
    readOnlyPaths: [],
    temporaryBytes: 64 << 20,
  });
  isolated = prerequisite("userns", probe.bubblewrap !== null, probe.remedy ?? "");
  const own = mkdtempSync(join(tmpdir(), "call-program-"));
  const containers = await probeOci(
    { dataDirectory: own, readOnlyPaths: [], temporaryBytes: 64 << 20 },
    await openProvenCgroups(own),
  );
  rmSync(own, { recursive: true });
  contained = prerequisite("oci", containers.oci !== null, containers.remedy ?? "");
});

const ask = (
  [command, ...args]: readonly [string, ...string[]],
  given: object,
  more: Partial<Lease> = {},
  environment: Record<string, string> = {},
): Partial<Lease> => ({
  taskType: "call.mcp",
  call: { kind: "mcp", program: true },
  task: {
    type: "run.shell",
    command,
    arguments: args,
    environment,
    stdin: JSON.stringify({
      kind: "mcp",
      with: given,
      secrets: {},
      timeoutMs: 60_000,
      idempotencyKey: "run/effect",
    }),
  },
  mounts: SEEN.map((path) => ({ source: path, target: path, readOnly: true })),
  output: "json",
  sandbox: { mode: "workflow-session" },
  ...more,
});
const tool = (name: string) => ({ method: "tools/call", parameters: { name } });
const done = async ({ controller }: Bench, lease: Partial<Lease>): Promise<TaskResult> =>
  await controller.result(controller.offer(lease), 85_000);

for (const sandbox of ["process", "bubblewrap"] as const) {
  test(`${sandbox}: a server that is a program of the host is started beside its client, and asked what the task asks`, async () => {
    if (sandbox === "bubblewrap" && !isolated) return;
    process.env["PROGRAM_TEST_TOKEN"] = "token-of-the-server";
    const bench = benches.start({ sandbox, secrets: { token: { env: "PROGRAM_TEST_TOKEN" } } });
    const sandboxed: Partial<Lease> = sandbox === "process" ? { sandbox: { mode: "none" } } : {};
    const [added, listed, note, environment] = await Promise.all([
      done(bench, ask(SERVER, { method: "tools/call", parameters: { name: "add" } }, sandboxed)),
      done(bench, ask(SERVER, { method: "tools/list" }, sandboxed)),
      done(bench, ask(SERVER, { method: "resources/read", parameters: { uri: "note://one" } }, sandboxed)),
      done(bench, ask(SERVER, tool("environment"), sandboxed, { TOKEN: "runner-secret://token" })),
    ]);
    expect([added.status, added.summary]).toEqual(["succeeded", "exit code 0"]);
    expect(added.output).toEqual({ result: { content: [{ type: "text", text: "added" }] } });
    expect(JSON.stringify(listed.output)).toContain('"description":"adds one"');
    expect(note.output).toMatchObject({ result: { contents: [{ text: "text" }] } });
    // It has its secret, which nobody else sees; and nothing of the runner's.
    const shown = JSON.stringify(environment.output);
    expect(shown).toContain("TOKEN");
    expect(shown).not.toContain("token-of-the-server");
    expect(shown).not.toContain("PROGRAM_TEST_TOKEN");
    expect(shown).not.toContain("LIGHTFLOW_OUTPUT");
  });
}

test("oci and a prepared machine hold a server too", async () => {
  const add = (mode: Lease["sandbox"]["mode"], network: Lease["network"]) =>
    ask(SERVER, tool("add"), { sandbox: { mode }, network });
  const machine = benches.start({ sandbox: "vm", vmImageId: "image-7" });
  const results = [await done(machine, add("workflow-session", "open"))];
  if (contained)
    results.push(await done(benches.start({ sandbox: "oci" }), add("per-agent-call", "deny-all")));
  for (const { output, summary } of results)
    expect([output, summary]).toEqual([
      { result: { content: [{ type: "text", text: "added" }] } },
      "exit code 0",
    ]);
});

const sh = (script: string): readonly [string, ...string[]] => ["/bin/sh", "-c", script];

test("whatever a server does in place of an answer has a name of its own", async () => {
  if (!isolated) return;
  const bench = benches.start();
  const cases: [string, readonly [string, ...string[]], object, string][] = [
    ["ends in the middle of a call", SERVER, tool("exit"), "mcp_server_ended"],
    ["ends at once", sh("exit 3"), tool("add"), "mcp_server_ended"],
    ["is not there", ["/no/such/server"], tool("add"), "mcp_start_failed"],
    ["never answers", sh("exec sleep 60"), { ...tool("add"), timeout: { milliseconds: 500 } }, "mcp_timeout"],
    ["never answers a call", SERVER, { ...tool("sleep"), timeout: { seconds: 2 } }, "mcp_timeout"],
    ["prints garbage", sh("yes garbage"), tool("add"), "mcp_output_invalid"],
    ["prints one line without an end", sh("exec cat /dev/zero"), tool("add"), "mcp_output_too_large"],
    [
      "asks without an end",
      sh(`yes '{"jsonrpc":"2.0","id":1,"method":"ping"}'`),
      tool("add"),
      "mcp_output_too_large",
    ],
    [
      "answers what nobody asked",
      sh(`yes '{"jsonrpc":"2.0","id":99,"result":{}}'`),
      tool("add"),
      "mcp_output_too_large",
    ],
    ["answers with too much", SERVER, tool("large"), "mcp_output_too_large"],
  ];
  const ends = await Promise.all(
    cases.map(async ([what, server, given]) => {
      const { status, output } = await done(bench, ask(server, given));
      if (what === "is not there")
        expect(JSON.stringify(output)).toContain(
          '\\"/no/such/server\\" cannot be started: it is not installed',
        );
      return [what, status, (output as { error?: { code?: string } }).error?.code];
    }),
  );
  expect(ends).toEqual(cases.map(([what, , , code]) => [what, "succeeded", code]));
});

test("what a server writes to stderr is the log of its task, and more than it may write ends it", async () => {
  if (!isolated) return;
  const bench = benches.start();
  const said = sh('echo "a word for the log" >&2; exit 4');
  const quiet = bench.controller.offer(ask(said, tool("add")));
  expect((await bench.controller.result(quiet)).output).toMatchObject({
    error: { code: "mcp_server_ended", detail: "the MCP server ended with exit code 4" },
  });
  expect(bench.controller.log(quiet, "stderr")).toContain("a word for the log");
  const limits = { logBytes: 100_000, outputBytes: 65536, artifactBytes: 1, artifactCount: 1 };
  const flood = await done(bench, ask(sh("yes flood >&2"), tool("add"), { limits }));
  expect(flood).toMatchObject({ status: "failed", errorCode: "execution_output_too_large" });
});

test("what a server leaves behind ends with its call, also when it is cancelled", async () => {
  if (!isolated) return;
  const bench = benches.start();
  const marker = `${100_000 + process.pid}.25`;
  const leave = `setsid sleep ${marker} </dev/null >/dev/null 2>&1 & `;
  const left = await done(bench, ask(sh(`${leave} exit 0`), tool("add")));
  expect(left.output).toMatchObject({ error: { code: "mcp_server_ended" } });
  expect(processesRunning(`sleep ${marker}`)).toEqual([]);
  const lease = bench.controller.offer(ask(sh(`${leave} exec sleep ${marker}`), tool("add")));
  while (processesRunning(`sleep ${marker}`).length < 2) await Bun.sleep(5);
  bench.controller.cancel(lease);
  expect(await bench.controller.result(lease)).toMatchObject({ status: "cancelled" });
  expect(processesRunning(`sleep ${marker}`)).toEqual([]);
});
