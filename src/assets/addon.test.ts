import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../base/child-env.ts";

const directory = mkdtempSync(join(tmpdir(), "addon-"));
afterAll(() => rmSync(directory, { recursive: true }));

const BINDING = Bun.resolveSync(
  `@oxc-parser/binding-linux-${process.arch}-${process.env["LIGHTFLOW_LIBC"] ?? "gnu"}`,
  import.meta.dir,
);

/** In a process of its own: an addon is loaded once for good. */
async function load(packed: string, temporary: string) {
  const main = join(directory, "main.ts");
  const text = `const { loadAddon } = await import(${JSON.stringify(join(import.meta.dir, "addon.ts"))});
const { parseSync } = loadAddon(process.argv[2]);
const parsed = parseSync("a.ts", "export const x: number = 1;", { lang: "ts" });
console.log(JSON.parse(parsed.program).node.type, parsed.errors.length);`;
  writeFileSync(main, text);
  const child = Bun.spawn([process.execPath, main, packed], {
    env: childEnvironment({ PATH: process.env["PATH"] ?? "", TMPDIR: temporary }),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, error, code: await child.exited };
}

test("a compressed addon works, and nothing of it stays in the temporary directory", async () => {
  const packed = join(directory, "addon.gz");
  writeFileSync(packed, Bun.gzipSync(await Bun.file(BINDING).bytes()));
  const temporary = mkdtempSync(join(directory, "t"));
  expect(await load(packed, temporary)).toEqual({ out: "Program 0\n", error: "", code: 0 });
  expect(readdirSync(temporary)).toEqual([]);
});

test("what is no addon, and a temporary directory that is not there, are errors that leave nothing", async () => {
  const packed = join(directory, "nothing.gz");
  writeFileSync(packed, Bun.gzipSync("no program"));
  const temporary = mkdtempSync(join(directory, "t"));
  expect((await load(packed, temporary)).code).not.toBe(0);
  expect(readdirSync(temporary)).toEqual([]);
  const missing = await load(packed, join(directory, "missing"));
  expect([missing.code === 0, missing.error]).toEqual([false, expect.stringContaining("ENOENT")]);
});
