import { afterAll, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assetText, TestProject } from "../../assets/testing.ts";
import { sha256 } from "../../base/canonical.ts";
import { childEnvironment } from "../../base/child-env.ts";

const MAIN = join(import.meta.dir, "../../main.ts");
const project = new TestProject();
const cache = mkdtempSync(join(tmpdir(), "lightflow models "));
const weights = Buffer.alloc(3_000_000, "weights ");
/** What the server was asked for, and after how many bytes it hangs up. */
const asked: (string | null)[] = [];
let breaksAt: number | null = null;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const range = request.headers.get("range");
    asked.push(range);
    if (new URL(request.url).pathname !== "/weights") return new Response("none", { status: 404 });
    const from = range === null ? 0 : Number(/^bytes=(\d+)-$/.exec(range)![1]);
    const rest = weights.subarray(from);
    const headers = { "content-length": String(rest.length) };
    if (breaksAt === null) return new Response(rest, { status: range === null ? 200 : 206, headers });
    const part = rest.subarray(0, breaksAt);
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(part);
        await Bun.sleep(100);
        // Fewer bytes than were promised: the connection just ends.
        controller.close();
      },
    });
    return new Response(body, { headers });
  },
});
afterAll(async () => {
  await server.stop(true);
  project.remove();
  rmSync(cache, { recursive: true, force: true });
});
beforeEach(() => {
  rmSync(join(cache, "lightflow"), { recursive: true, force: true });
  rmSync(join(project.root, "lightflow"), { recursive: true, force: true });
  asked.length = 0;
  breaksAt = null;
});

const installed = join(cache, "lightflow/models/llm.local/weights.bin");
const lock = join(project.root, "lightflow/models.lock.json");

function model(from = `${server.url}weights`, digest = sha256(weights)): void {
  const file = `{ name: "weights.bin", from: ${JSON.stringify(from)}, sha256: "${digest}", size: ${weights.length} }`;
  const define = `export const define = () => model(META.id).licence("MIT").candidate({ model: "m" }).file(${file});`;
  project.write("models/local.ts", assetText("model", "llm.local", define));
}

async function models(...words: string[]) {
  const child = Bun.spawn([process.execPath, MAIN, "models", ...words, "--json"], {
    cwd: project.root,
    env: { ...childEnvironment(process.env), XDG_CACHE_HOME: cache, XDG_CONFIG_HOME: cache },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, error] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, answer: out === "" ? null : JSON.parse(out), error };
}

test("a file is fetched, compared and locked; a second call finds it there", async () => {
  model();
  expect((await models("list")).answer.models).toMatchObject([
    { id: "llm.local", licence: "MIT", state: "incomplete" },
  ]);
  expect((await models("install")).answer.files).toMatchObject([{ state: "fetched", size: weights.length }]);
  expect(sha256(readFileSync(installed))).toBe(sha256(weights));
  expect(JSON.parse(readFileSync(lock, "utf8"))).toEqual({
    version: 1,
    models: {
      "llm.local": {
        source: expect.stringMatching(/^[0-9a-f]{64}$/),
        files: [{ name: "weights.bin", sha256: sha256(weights), size: weights.length }],
      },
    },
  });
  expect((await models("install", "llm.local")).answer.files).toMatchObject([{ state: "present" }]);
  expect(asked).toHaveLength(1);
  expect((await models("verify")).code).toBe(0);
});

test("an interrupted fetch goes on where it ended", async () => {
  model();
  breaksAt = 1_000_000;
  expect((await models("install")).code).not.toBe(0);
  expect(existsSync(installed)).toBe(false);
  const left = statSync(`${installed}.part`).size;
  expect(left).toBeGreaterThan(0);
  breaksAt = null;
  expect((await models("install")).code).toBe(0);
  expect(asked).toEqual([null, `bytes=${left}-`]);
  expect(sha256(readFileSync(installed))).toBe(sha256(weights));
});

test("bytes with another digest get no name and no lock", async () => {
  model(undefined, "0".repeat(64));
  const { code, error } = await models("install");
  expect([code, existsSync(installed), existsSync(`${installed}.part`), existsSync(lock)]).toEqual([
    2,
    false,
    false,
    false,
  ]);
  expect(error).toContain(sha256(weights));
});

test("a path of the project is taken as it is; one that leads out, an odd address and a missing file are refused", async () => {
  writeFileSync(join(project.root, "weights.src"), weights);
  model("weights.src");
  expect((await models("install")).code).toBe(0);
  truncateSync(installed, 10);
  expect(await models("verify")).toMatchObject({
    code: 1,
    answer: { ok: false, files: [{ state: "different" }] },
  });
  for (const from of ["../weights", "/etc/hostname", "file:///etc/hostname", `${server.url}nothing`]) {
    model(from);
    const { code, error } = await models("install");
    expect([from, code === 0, error]).toEqual([
      from,
      false,
      expect.stringMatching(/out of the project|neither|404/),
    ]);
  }
  expect((await models("install", "llm.none")).code).toBe(2);
});
