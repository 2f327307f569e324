import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../base/canonical.ts";
import { childEnvironment } from "../base/child-env.ts";

const box = mkdtempSync(join(tmpdir(), "lightflow code "));
afterAll(() => rmSync(box, { recursive: true, force: true }));
let count = 0;

/** Run a node's file as a runner would, without the sandbox. */
async function runNode(source: string, input: unknown, files: readonly Uint8Array[] = []) {
  const place = join(box, String(count++));
  const inputs = join(place, "inputs");
  mkdirSync(inputs, { recursive: true });
  for (const bytes of files) writeFileSync(join(inputs, sha256(bytes)), bytes);
  writeFileSync(join(inputs, "source"), source);
  const output = join(place, "output.json");
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "../main.ts"), "code-child", join(inputs, "source")],
    {
      cwd: place,
      env: {
        ...childEnvironment(process.env),
        LIGHTFLOW_INPUTS: inputs,
        LIGHTFLOW_OUTPUT: output,
        LIGHTFLOW_WORKSPACE: place,
        TMPDIR: place,
      },
      stdin: Buffer.from(JSON.stringify(input)),
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [code, log, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const value: unknown = existsSync(output) ? JSON.parse(readFileSync(output, "utf8")) : undefined;
  return { code, log, errors, value, place };
}

const PRELOAD = 'import { type AssetMeta, node } from "../preload/lightflow.ts";\n';
const builtin = (name: string) => readFileSync(join(import.meta.dir, "../builtins/nodes", name), "utf8");

test("a function gets its inputs, prints its log, and its answer is the output", async () => {
  const source = `${PRELOAD}export const define = () => node("a").input("n", { type: "integer" }).code();
    export async function run({ n }: { n: number }) { console.log("working"); return { twice: n * 2 }; }`;
  expect(await runNode(source, { n: 21 })).toMatchObject({ code: 0, log: "working\n", value: { twice: 42 } });
});

test("what a function keeps is a file with its digest, and what came in is read by it", async () => {
  const bytes = Buffer.from("hello");
  const source = `export async function run({ file }, ctx) {
    const text = await Bun.file(ctx.file(file)).text();
    return { kept: await ctx.keep("a/b.txt", text.toUpperCase()) };
  }`;
  const { value, place } = await runNode(source, { file: `sha256:${sha256(bytes)}` }, [bytes]);
  expect(value).toEqual({ kept: `sha256:${sha256("HELLO")}` });
  expect(readFileSync(join(place, "outputs/a/b.txt"), "utf8")).toBe("HELLO");
});

test("what goes wrong ends with an exit code and a reason, and leaves no output", async () => {
  for (const [source, reason] of [
    ["export function run() { throw new Error('too bad') }", "too bad"],
    ["export const other = 1;", "exports no function run"],
    ["import './beside.ts'; export function run() {}", "its file travels alone"],
    ["export function run(_, ctx) { return ctx.file('sha256:' + '0'.repeat(64)) }", "did not come in"],
    [
      "export async function run(_, ctx) { return await ctx.keep('../x', 'y') }",
      "not a plain relative file name",
    ],
    ["export function run( {", "Expected"],
  ] as const) {
    const { code, errors, value } = await runNode(source, {});
    expect([source, code, value]).toEqual([source, 1, undefined]);
    expect(errors).toContain(reason);
  }
});

test("the image nodes turn, shrink, convert and lay out", async () => {
  const gradient = readFileSync(join(import.meta.dir, "../../lightflow/nodes/gradient.ts"), "utf8");
  const drawn = await runNode(gradient, { seed: 5, size: 40 });
  const png = readFileSync(join(drawn.place, "outputs/gradient-5.png"));
  const image = `sha256:${sha256(png)}`;
  expect(drawn.value).toMatchObject({ image });
  const options = { image, format: "png", quality: 80 };
  const of = async (name: string, input: object) => {
    const { code, errors, value } = await runNode(builtin(name), input, [png]);
    expect([name, code, errors]).toEqual([name, 0, ""]);
    return value;
  };
  const [load, resize, thumbnail, rotate, convert, sheet] = await Promise.all([
    of("image_load.ts", { image }),
    of("image_resize.ts", { ...options, width: 20, height: 10 }),
    of("image_thumbnail.ts", { ...options, size: 16 }),
    of("image_rotate.ts", { ...options, degrees: 90 }),
    of("image_convert.ts", { ...options, format: "webp" }),
    of("image_contact_sheet.ts", { images: [image, image, image], columns: 2, cell: 32, gap: 4 }),
  ]);
  expect(load).toMatchObject({ image, width: 40, height: 40, format: "png", bytes: png.length });
  expect(resize).toMatchObject({ width: 20, height: 10 });
  expect(thumbnail).toMatchObject({ width: 16, height: 16 });
  expect(rotate).toMatchObject({ width: 40, height: 40, format: "png" });
  expect(convert).toMatchObject({ format: "webp", width: 40 });
  expect(sheet).toMatchObject({ width: 76, height: 76, format: "png" });
});
