import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, copyBinary, runBinary, sandbox } from "../support/binary.ts";
import { startBinary } from "../support/processes.ts";

const box = sandbox("lf process");
afterAll(box.remove);

async function shell(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(["bash", "-c", script, "bash", await binary()], {
    env: box.env,
    cwd: box.path,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

test("the executable works alone in an empty directory", async () => {
  const empty = join(box.path, "empty");
  mkdirSync(empty);
  const executable = await copyBinary(empty);
  const options = { env: box.env, cwd: empty, executable };
  expect((await runBinary(["--version"], options)).code).toBe(0);
  expect((await runBinary(["init", "project"], options)).code).toBe(0);
  const doctor = await runBinary(["doctor"], options);
  expect(
    JSON.parse(doctor.stdout).checks.find((check: { name: string }) => check.name === "asset parser"),
  ).toMatchObject({ status: "ok" });
});

test("a .env, a bunfig.toml preload and a tsconfig.json of the working directory have no effect", async () => {
  const planted = join(box.path, "planted");
  mkdirSync(planted);
  const trace = join(planted, "trace");
  writeFileSync(join(planted, ".env"), "LIGHTFLOW_PORT=4242\n");
  writeFileSync(join(planted, ".env.production"), "LIGHTFLOW_PORT=4243\n");
  writeFileSync(join(planted, "bunfig.toml"), 'preload = ["./side-effect.ts"]\n');
  writeFileSync(
    join(planted, "side-effect.ts"),
    `require("node:fs").writeFileSync(${JSON.stringify(trace)}, "x");\n`,
  );
  writeFileSync(join(planted, "tsconfig.json"), "{ broken");
  writeFileSync(join(planted, "package.json"), "{ broken");
  const { code, stdout, stderr } = await runBinary(["config", "show"], { env: box.env, cwd: planted });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout).settings.port).toBe(5174);
  expect(existsSync(trace)).toBe(false);
});

test("a reader that has gone ends the output quietly", async () => {
  for (const command of ["help", "completion bash", "config show"]) {
    const { stderr } = await shell(`{ sleep 0.2; "$1" ${command}; echo "exit $?" >&2; } | true`);
    expect(stderr).toBe("exit 0\n");
  }
});

test("what follows something quiet ends once its reader has gone, without a write that would tell", async () => {
  const made = await runBinary(["token", "create", "reader"], { env: box.env });
  expect(made.code).toBe(0);
  // No entry comes after this one: only the pipe itself says that nobody reads.
  const { stderr } = await shell(
    '{ timeout 15 "$1" audit tail --follow --after 1000; echo "exit $?" >&2; } | true',
  );
  expect(stderr).toBe("exit 0\n");
});

test("a full disk behind stdout is an error of its own, exit code 1", async () => {
  const { stderr } = await shell('"$1" help > /dev/full; echo "exit $?" >&2');
  expect(stderr).toMatch(/^ENOSPC[^\n]*\nexit 1\n$/);
});

test("NO_COLOR and --no-color leave no escape sequence on a terminal; without them there are some", async () => {
  const onTerminal = async (command: string, env = "") =>
    (await shell(`${env} script -qec "'$1' ${command}" /dev/null`)).stdout;
  if (Bun.which("script") === null) {
    console.log("not run: script is not installed, so there is no terminal to try colours on");
    return;
  }
  expect(await onTerminal("help")).toContain("\x1b[1m");
  expect(await onTerminal("help --no-color")).not.toContain("\x1b[");
  expect(await onTerminal("help", "NO_COLOR=1")).not.toContain("\x1b[");
  // On a terminal the answer is for people, with --json for programs.
  expect(await onTerminal("config path")).not.toContain("{");
  expect(JSON.parse(await onTerminal("config path --json"))).toHaveProperty("state");
});

test("where nothing was ever stored, each list is empty and no refusal", async () => {
  const own = sandbox("lf nothing yet");
  const lists = [
    "run list",
    "approvals list",
    "artifact list",
    "runners list",
    "token list",
    "audit tail",
    "inbox list",
    "agent list",
  ];
  try {
    for (const list of lists) {
      rmSync(join(own.path, "state"), { recursive: true, force: true });
      const { code, stdout, stderr } = await runBinary(list.split(" "), { env: own.env, cwd: own.path });
      expect({ list, code, stderr }).toEqual({ list, code: 0, stderr: "" });
      expect(
        Object.values(JSON.parse(stdout)).every((each) => !Array.isArray(each) || each.length === 0),
      ).toBe(true);
    }
  } finally {
    own.remove();
  }
});

test("explain shows a table on a terminal, and the graph where it is asked for", async () => {
  const project = join(box.path, "explained");
  expect((await runBinary(["init", "explained"], { env: box.env, cwd: box.path })).code).toBe(0);
  const explain = ["explain", "workflow.hello", "--root", project];
  const graph = (await runBinary([...explain, "--mermaid"], { env: box.env })).stdout;
  expect(graph).toStartWith("flowchart");
  expect(JSON.parse((await runBinary(explain, { env: box.env })).stdout)).toMatchObject({ mermaid: graph });
  if (Bun.which("script") === null) {
    console.log("not run: script is not installed, so there is no terminal to look at a table on");
    return;
  }
  const shown = await shell(`script -qec "'$1' explain workflow.hello --root '${project}'" /dev/null`);
  expect(shown.stdout).toContain("waits for");
  expect(shown.stdout).not.toContain("flowchart");
});

/** Processes of this host whose environment holds a mark, but for those that are gone when they are looked at. */
function marked(mark: string): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark)
        ? [readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")]
        : [];
    } catch {
      return [];
    }
  });
}

test("LF-51: a command leaves no process, socket or mount behind; what serves does so in the foreground, until it is stopped", async () => {
  const own = sandbox("lf no service");
  try {
    const mark = `LF_MARK=${crypto.randomUUID()}`;
    const env = { ...own.env, LF_MARK: mark.slice("LF_MARK=".length) };
    const project = join(own.path, "project");
    const lf = (...args: string[]) => runBinary(args, { env, cwd: project });
    await runBinary(["init", "project"], { env, cwd: own.path });
    const mounts = () => readFileSync("/proc/mounts", "utf8").includes(own.path);
    for (const command of [
      ["assets", "workflows"],
      ["check"],
      ["run", "preview", "workflow.hello"],
      ["run", "start", "workflow.hello", "--id", "done"],
      ["run", "list"],
      ["run", "logs", "done"],
      ["runners", "list"],
      ["inbox", "list"],
      ["ctx", "abi"],
      ["doctor"],
      ["runner", "doctor"],
      ["stream", "info"],
    ]) {
      const { code, stderr } = await lf(...command);
      const failed = code !== 0 && command.at(-1) !== "doctor";
      expect({ command, why: failed ? stderr : "" }).toEqual({ command, why: "" });
      expect({ command, left: marked(mark), mounted: mounts() }).toEqual({
        command,
        left: [],
        mounted: false,
      });
    }
    // The same look finds a host that somebody did start, and nothing of it once it was stopped.
    const host = await startBinary(["up", "--port", "0", "--controller-port", "0"], env, project);
    expect(marked(mark).length).toBeGreaterThan(0);
    expect(await host.stop()).toBe(143);
    expect(marked(mark)).toEqual([]);
    expect(
      readdirSync(join(own.env["XDG_RUNTIME_DIR"]!, "lightflow")).filter((name) => name.endsWith(".sock")),
    ).toEqual([]);
  } finally {
    own.remove();
  }
});
