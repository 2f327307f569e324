import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary, runBinary, sandbox } from "../support/binary.ts";
import { prerequisite } from "../support/require.ts";

const box = sandbox("lf bad runs");
const project = join(box.path, "project");
const INPUTS = ["--inputs", '{"prompt":"x"}'];

const run = (args: string[], env: Record<string, string> = {}) =>
  runBinary(args, { env: { ...box.env, LIGHTFLOW_CTX_MOUNT: join(box.path, "ctx"), ...env }, cwd: project });

/** A disk of so many bytes. */
function tinyDisk(name: string, size: string): string {
  const at = join(box.path, name);
  mkdirSync(at);
  const { exitCode, stderr } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", at]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  mounted.push(at);
  return at;
}
const mountsDisks = prerequisite("root", mayMount(), "only root may mount a tmpfs");

function mayMount(): boolean {
  const at = mkdtempSync(join(tmpdir(), "lf-mount-"));
  const mounts = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", at]).exitCode === 0;
  if (mounts) Bun.spawnSync(["umount", at]);
  rmSync(at, { recursive: true });
  return mounts;
}
const mounted: string[] = [];

/** Leave nothing free. */
function fill(at: string): void {
  for (const size of [1024 * 1024, 64 * 1024, 4096]) {
    for (let part = 0; ; part++) {
      try {
        writeFileSync(join(at, `filler-${size}-${part}`), Buffer.alloc(size));
      } catch {
        break;
      }
    }
  }
}

beforeAll(() => {
  mkdirSync(project, { recursive: true });
  cpSync(join(import.meta.dir, "../../lightflow"), join(project, "lightflow"), {
    recursive: true,
    filter: (path) => !path.endsWith(".test.ts"),
  });
});
afterAll(() => {
  for (const at of mounted) Bun.spawnSync(["umount", at]);
  box.remove();
});

test("a million events are written out without being held in memory", async () => {
  expect((await run(["run", "create", "workflow.text_plan", "--id", "long", ...INPUTS])).code).toBe(0);
  const db = new Database(join(box.path, "state/lightflow/lightflow.db"));
  const { id } = db.query("SELECT id FROM instance WHERE run_id = 'long'").get() as { id: string };
  const insert = db.prepare("INSERT INTO event (instance_id, last_seq, ts, lines) VALUES (?, ?, ?, ?)");
  const lines = JSON.stringify(
    Array.from({ length: 1000 }, () => ["step.progress", "draft", null, "·".repeat(10)]),
  );
  db.transaction(() => {
    for (let at = 1; at <= 1000; at++) insert.run(id, 1 + at * 1000, 1_780_000_000_000, lines);
  })();
  db.close();

  const child = Bun.spawn([await binary(), "run", "events", "long"], {
    env: childEnvironment(box.env),
    cwd: project,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let bytes = 0;
  let count = 0;
  let tail = "";
  for await (const part of child.stdout) {
    bytes += part.length;
    for (let at = part.indexOf(10); at !== -1; at = part.indexOf(10, at + 1)) count++;
    tail = (tail + Buffer.from(part.subarray(-1000)).toString()).slice(-1000);
  }
  expect(await child.exited).toBe(0);
  expect(count).toBe(1_000_001);
  expect(JSON.parse(tail.trimEnd().split("\n").at(-1)!).seq).toBe(1_000_001);
  expect(bytes).toBeGreaterThan(120_000_000);
  // The text alone is 120 MB, and as objects several times that.
  expect(child.resourceUsage()!.maxRSS).toBeLessThan(400 * 1024 * 1024);

  // A reader that has enough ends the writer.
  const head = Bun.spawnSync(["sh", "-c", `"$0" run events long | head -n 1`, await binary()], {
    env: childEnvironment(box.env),
    cwd: project,
  });
  expect(JSON.parse(head.stdout.toString()).event).toBe("run.created");
}, 60_000);

test.skipIf(!mountsDisks)(
  "on a full disk a run is not created, says so, and is created when there is room",
  async () => {
    const disk = tinyDisk("state-disk", "3m");
    const env = { XDG_STATE_HOME: disk };
    expect((await run(["run", "create", "workflow.text_plan", "--id", "before", ...INPUTS], env)).code).toBe(
      0,
    );
    fill(disk);
    const refused = await run(["run", "create", "workflow.text_plan", "--id", "full", ...INPUTS], env);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^[^\n]+\n$/);
    for (const name of readdirSync(disk)) if (name.startsWith("filler")) rmSync(join(disk, name));

    const listed = JSON.parse((await run(["run", "list"], env)).stdout).runs;
    expect(listed.map(({ run_id }: { run_id: string }) => run_id)).toEqual(["before"]);
    expect((await run(["db", "check"], env)).code).toBe(0);
    expect((await run(["run", "create", "workflow.text_plan", "--id", "full", ...INPUTS], env)).code).toBe(0);
  },
  60_000,
);

test.skipIf(!mountsDisks)(
  "a request that does not fit into /ctx leaves nothing there, and the step planned",
  async () => {
    const disk = tinyDisk("ctx-disk", "256k");
    const env = { LIGHTFLOW_CTX_MOUNT: disk, LIGHTFLOW_CTX_UID: "7" };
    expect((await run(["run", "create", "workflow.text_plan", "--id", "large", ...INPUTS], env)).code).toBe(
      0,
    );
    writeFileSync(join(project, "large.json"), Buffer.alloc(1024 * 1024, "x"));
    const refused = await run(["run", "submit", "large", "draft", "@large.json"], env);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("ENOSPC");
    expect(readdirSync(join(disk, "home/7/api/openai.chat/inbox"))).toEqual([]);
    expect(JSON.parse((await run(["run", "get", "large"], env)).stdout).steps[0].status).toBe("planned");
    expect((await run(["run", "submit", "large", "draft", "{}"], env)).code).toBe(0);
  },
  60_000,
);

test.skipIf(!mountsDisks)("a disk too small for a new store is said to be full", async () => {
  const disk = tinyDisk("small", "300k");
  const { code, stdout, stderr } = await run(["run", "start", "workflow.text_plan", ...INPUTS], {
    XDG_STATE_HOME: disk,
  });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^cannot open the store [^\n]*full[^\n]*the space of the state directory\n$/);
});
