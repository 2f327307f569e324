import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";
import { ask, enroll } from "../support/hand-runner.ts";
import { ownPort } from "../support/port.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";

setDefaultTimeout(60_000);

const LINES = 400;
/** Long enough that the whole log is compressed, with characters of two bytes at every border. */
const line = (at: number) => `line ${at} ${"é".repeat(150)}\n`;
const EXPECTED = Array.from({ length: LINES }, (_, at) => line(at)).join("");

const box = sandbox("logs");
box.env["LIGHTFLOW_RUNNER_SANDBOX"] = "process";
const started: Started[] = [];
beforeAll(() => {
  // Each half waits for a file that the test makes only when it has seen the half before it: who shows output late never ends.
  const half = (from: number, to: number, gate: string) =>
    `while [ ! -e ${gate} ]; do sleep 0.02; done; i=${from}; while [ $i -lt ${to} ]; do echo "line $i $E"; i=$((i+1)); done`;
  const gates = ["a", "b", "c", "d"].map((name) => join(box.path, `$RUN.${name}`));
  const quarter = LINES / 4;
  const script = gates.map((gate, at) => half(at * quarter, (at + 1) * quarter, gate)).join("; ");
  const task = {
    run: {
      shell: {
        command: `sh -c '${script}'`,
        environment: { E: "é".repeat(150), RUN: "${ $workflow.input.run }" },
      },
    },
  };
  const document = {
    document: { dsl: "1.0.3", namespace: "t", name: "lines", version: "1.0.0" },
    do: [{ work: task }],
  };
  writeFileSync(join(box.path, "lines.json"), JSON.stringify(document));
});
afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.stop();
});
afterAll(() => box.remove());
const role = async (...args: string[]): Promise<Started> => {
  const made = await startBinary(args, box.env, box.path);
  started.push(made);
  return made;
};

/** `run logs --follow`, and what it has shown so far. */
async function follow(run: string) {
  const child = Bun.spawn([await binary(), "run", "logs", run, "--follow"], {
    env: childEnvironment(box.env),
    cwd: box.path,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let seen = "";
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const part of child.stdout) seen += decoder.decode(part, { stream: true });
  })();
  return {
    sees: (at: number) =>
      eventually(
        async () => seen.length,
        () => seen.includes(line(at)),
      ),
    open: (gate: string) => writeFileSync(join(box.path, `${run}.${gate}`), ""),
    async ended() {
      const errors = await child.stderr.text();
      await reading;
      return { code: await child.exited, errors, seen };
    },
  };
}

async function begin(run: string): Promise<void> {
  const ran = await runBinary(
    ["workflow", "start", "lines.json", "--id", run, "--input", JSON.stringify({ run })],
    { env: box.env, cwd: box.path },
  );
  if (ran.code !== 0) throw new Error(ran.stderr);
}

/** The whole log as its artifact has it. */
async function wholeLog(run: string): Promise<string> {
  const { artifacts } = await ask(box, "artifact", "list", "--run", run, "--kind", "log");
  const [log] = artifacts as { sha256: string; media_type: string }[];
  expect(log!.media_type).toBe("application/zstd");
  expect(await ask(box, "artifact", "verify", log!.sha256)).toMatchObject({ ok: true });
  const out = join(box.path, `${run}.log.zst`);
  await ask(box, "artifact", "get", log!.sha256, "--output", out);
  return Buffer.from(Bun.zstdDecompressSync(await Bun.file(out).bytes())).toString();
}

test("RN-74, F29: whoever follows a log sees each byte once and while the command runs, although the controller is killed and started again", async () => {
  await role("orchestrator");
  const first = await role("controller", "--port", String(ownPort()));
  const url = first.ready["url"]!;
  writeFileSync(join(box.path, "away.token"), await enroll(box, "away"), { mode: 0o600 });
  await role("runner", "--controller", url, "--token-file", "away.token", "--id", "away", "--host-id", "h");
  await begin("killed");
  const follower = await follow("killed");
  const quarter = LINES / 4;
  follower.open("a");
  await follower.sees(quarter - 1);
  await first.kill();
  // Written while nobody takes it.
  follower.open("b");
  await Bun.sleep(300);
  await role("controller", "--port", new URL(url).port);
  await follower.sees(2 * quarter - 1);
  follower.open("c");
  await follower.sees(3 * quarter - 1);
  follower.open("d");
  expect(await follower.ended()).toEqual({ code: 0, errors: "", seen: EXPECTED });
  expect(await wholeLog("killed")).toBe(EXPECTED);
});

test("whoever follows a log goes on where he was when the host that he reads from is killed, with the next one", async () => {
  const up = ["up", "--no-ctx", "--port", "0", "--controller-port", "0"];
  const first = await role(...up);
  await begin("moved");
  const follower = await follow("moved");
  follower.open("a");
  await follower.sees(LINES / 4 - 1);
  await first.kill();
  const next = await role(...up);
  expect(next.pid).not.toBe(first.pid);
  await ask(box, "run", "cancel", "moved");
  const read = Array.from({ length: LINES / 4 }, (_, at) => line(at)).join("");
  expect(await follower.ended()).toEqual({ code: 0, errors: "", seen: read });
});
