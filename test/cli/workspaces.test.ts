import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../../src/base/ids.ts";
import type { JsonObject } from "../../src/base/json.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { type Started, startBinary } from "../support/processes.ts";

setDefaultTimeout(60_000);

const box = sandbox("lf workspaces");
const project = join(box.path, "project");
const repository = join(box.path, "repository");
let host: Started;

/** A repository of the host becomes the session's checkout; two tests spoil copies of it; the build sees neither. */
const SOURCE = String.raw`import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.copies",
  title: "Copies",
  kind: "workflow",
  description: "Work on copies.",
  stability: "draft",
} as const satisfies AssetMeta;

const SPOIL = 'echo spoilt >file; rm -r sub; printf "\\"%s\\"" "$(ls)" >"$LIGHTFLOW_OUTPUT"';
const CHECK = 'echo 2 >sub/made; printf "\\"%s\\"" "$(cat file)" >"$LIGHTFLOW_OUTPUT"';
const BUILD = 'printf "{\\"file\\":\\"%s\\",\\"made\\":\\"%s\\"}" "$(cat file)" "$(cat sub/made)" >"$LIGHTFLOW_OUTPUT"';
export function define() {
  return workflow(META.id)
    .input("repository", { type: "string" })
    .commandStep("checkout", {
      command: "sh",
      arguments: ["-c", CHECK],
      output: "json",
      workspace: { copyOnWrite: "\${ .inputs.repository }", commit: true },
    })
    .commandStep("unit", { command: "sh", arguments: ["-c", SPOIL], output: "json", workspace: { copyOnWrite: "session" } })
    .commandStep("system", { command: "sh", arguments: ["-c", SPOIL], output: "json", workspace: { copyOnWrite: "session" } })
    .commandStep("build", { command: "sh", arguments: ["-c", BUILD], output: "json", artifacts: [{ path: "sub/made" }] })
    .output({ built: "\${ .steps.build.output }" });
}
`.replaceAll("\\${", "${");

const run = (...args: string[]) => runBinary(args, { env: box.env, cwd: project });
async function json(...args: string[]) {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`${args.join(" ")}: ${code} ${stderr}${stdout}`);
  return JSON.parse(stdout);
}

beforeAll(async () => {
  expect((await runBinary(["init", "project"], { env: box.env, cwd: box.path })).code).toBe(0);
  mkdirSync(join(project, "lightflow/workflows"), { recursive: true });
  mkdirSync(join(repository, "sub"), { recursive: true });
  writeFileSync(join(repository, "file"), "as it was");
  writeFileSync(join(project, "lightflow/workflows/copies.ts"), SOURCE);
  host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], box.env, project);
});
afterAll(async () => {
  await host?.stop();
  box.remove();
});

test("RN-69: a host's repository is read, copied before it is changed, and shared by the steps of the run alone", async () => {
  await json("run", "start", "workflow.copies", "--id", "one", "--inputs", JSON.stringify({ repository }));
  const waited = await run("run", "wait", "one");
  if (waited.code !== 0) throw new Error((await run("run", "get", "one")).stdout);
  const got = await json("run", "get", "one");
  expect(got.output).toEqual({ built: { file: "as it was", made: "2" } });
  expect(readFileSync(join(repository, "file"), "utf8")).toBe("as it was");
  expect(readdirSync(join(repository, "sub"))).toEqual([]);
  const finished = (await json("audit", "tail", "--lines", "1000")).entries
    .filter(({ action }: { action: string }) => action === "result.accepted")
    .map(({ body }: { body: { workspace: unknown } }) => body.workspace);
  const copied = expect.stringMatching(/^(overlay|reflink|copy)$/);
  expect(finished).toEqual([{ copied, committed: true }, { copied }, { copied }, null]);
});

test("what a copy costs is shown by the doctor, and what tasks left by its own command", async () => {
  const { checks } = JSON.parse((await run("runner", "doctor", "--json")).stdout);
  const names = checks.map(({ name }: { name: string }) => name);
  expect(names).toContain("copies: overlay");
  expect(names).toContain("copies: reflink");
  const data = join(box.path, "apart");
  const leaseId = newId();
  const { signature: _signature, ...lease } = exampleLease({
    leaseId,
    sessionId: newId(),
    workspace: { mode: "ephemeral", key: newId() },
    freeze: { when: "failed", forMs: 60_000 },
    task: { type: "run.shell", command: "sh", arguments: ["-c", "echo 1 >left; exit 3"], environment: {} },
  }) as unknown as JsonObject;
  writeFileSync(join(box.path, "lease.json"), JSON.stringify(lease));
  await run("runner", "exec", join(box.path, "lease.json"), "--data-dir", data);
  const { frozen } = await json("runner", "frozen", "--data-dir", data);
  expect(frozen).toMatchObject([{ leaseId, status: "failed", path: join(data, "frozen", leaseId) }]);
  expect(readFileSync(join(frozen[0].path, "work/left"), "utf8")).toBe("1\n");
  expect(await json("runner", "frozen", "--data-dir", data, "--remove", leaseId)).toEqual({
    removed: leaseId,
  });
  expect(await json("runner", "frozen", "--data-dir", data)).toEqual({ frozen: [] });
  const again = await run("runner", "frozen", "--data-dir", data, "--remove", leaseId);
  expect(again.stderr).toContain("is frozen here");
});
