import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assetText } from "../../src/assets/testing.ts";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("lf authoring");
const project = join(box.path, "project");
const run = (args: string[]) => runBinary(args, { env: box.env, cwd: project });

beforeAll(() => {
  mkdirSync(project, { recursive: true });
  // The samples of this repository, as a project of their own, away from its packages.
  cpSync(join(import.meta.dir, "../../lightflow"), join(project, "lightflow"), { recursive: true });
});
afterAll(box.remove);

async function output(workflow: string, inputs: object): Promise<Record<string, unknown>> {
  const ran = await run(["run", "start", workflow, "--inputs", JSON.stringify(inputs)]);
  expect([ran.code, ran.code === 0 ? "" : ran.stderr + ran.stdout]).toEqual([0, ""]);
  return JSON.parse(ran.stdout).output;
}

test("the samples pass the check, and a mistake is shown with its line", async () => {
  const checked = await run(["check"]);
  expect([checked.code, JSON.parse(checked.stdout)]).toMatchObject([0, { ok: true, diagnostics: [] }]);
  const path = join(project, "lightflow/nodes/word_stats.ts");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace('"words"', '"word"'));
  const wrong = await run(["check", "lightflow/compositions"]);
  writeFileSync(path, text);
  expect(wrong.code).toBe(2);
  expect(JSON.parse(wrong.stdout).diagnostics[0]).toMatchObject({
    code: "port_unknown",
    severity: "error",
    message: "the step count has no output words",
    hint: expect.stringContaining("word"),
  });
});

test("compositions, a map and code nodes run in parallel to one output", async () => {
  const inputs = { first: "a bb ccc", second: "hello wonderful world", lines: ["x yy", "zzz"] };
  expect(await output("workflow.text_report", inputs)).toEqual({
    report: "First: a bb ccc (3 words)\nSecond: hello wonderful world (3 words)",
    words: 9,
    longest: "zzz",
  });
});

test("an image pipeline hands its pictures from step to step by digest", async () => {
  const first = await output("workflow.image_sheet", { seeds: [1, 2], size: 32 });
  const sha256 = String(first["sheet"]).slice(7);
  expect(first).toMatchObject({
    sheet: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    colours: ["#e26e2a", "#bbd06c"],
    width: 88,
  });
  const stored = join(box.env["XDG_STATE_HOME"]!, "lightflow/artifacts/sha256", sha256.slice(0, 2), sha256);
  expect(readFileSync(stored).subarray(1, 4).toString()).toBe("PNG");
});

test("code sees neither the network, nor the home, nor the store of its user, and nothing of it runs elsewhere", async () => {
  const planted = join(project, "planted");
  const secret = join(box.path, "secret");
  writeFileSync(secret, "secret");
  const code = `
import { existsSync, readFileSync, writeFileSync } from "node:fs";
try { writeFileSync(${JSON.stringify(planted)}, "x"); } catch {}
export async function run({ paths, address }) {
  const read = paths.filter((path) => { try { readFileSync(path); return true; } catch { return false; } });
  const net = await fetch(address).then(() => "answered", (error) => error.code ?? "refused");
  return { read, net, env: Object.keys(process.env).filter((name) => /SECRET|TOKEN|XDG/.test(name)) };
}`;
  const ports = ["read", "net", "env"].map((name) => `.output("${name}", { type: "json" })`).join("");
  const chain = `.input("paths", { type: "json" }).input("address", { type: "string" })${ports}.code()`;
  writeFileSync(
    join(project, "lightflow/nodes/hostile.ts"),
    `${assetText("node", "node.hostile", `export const define = () => node(META.id)${chain};`)}${code}`,
  );
  const wired = '{ inputs: { paths: "${ .inputs.paths }", address: "${ .inputs.address }" } }';
  const inputs = '.input("paths", { type: "json" }).input("address", { type: "string" })';
  const steps = `${inputs}.step("h", "node.hostile", ${wired})`;
  writeFileSync(
    join(project, "lightflow/workflows/hostile.ts"),
    assetText(
      "workflow",
      "workflow.hostile",
      `export const define = () => workflow(META.id)${steps}.output("\${ .steps.h.output }");`,
    ),
  );
  expect((await run(["check"])).code).toBe(0);
  expect((await run(["assets", "nodes"])).code).toBe(0);
  expect((await run(["explain", "workflow.hostile"])).code).toBe(0);
  expect(existsSync(planted)).toBe(false);
  const paths = [secret, join(box.env["XDG_STATE_HOME"]!, "lightflow/lightflow.db"), "/etc/shadow"];
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("here") });
  try {
    const seen = await output("workflow.hostile", { paths, address: String(server.url) });
    expect(seen).toMatchObject({ read: [], env: [] });
    expect(seen["net"]).not.toBe("answered");
  } finally {
    await server.stop(true);
  }
  expect(existsSync(planted)).toBe(false);
});
