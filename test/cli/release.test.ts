import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "../../scripts/build.ts";

setDefaultTimeout(60_000);
const SCRIPT = join(import.meta.dir, "../../scripts/install.sh");

let directory: string;
let release: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "release "));
  release = join(directory, "release");
  mkdirSync(release);
  for (const target of ["linux-x64", "linux-x64-baseline", "linux-arm64"])
    writeFileSync(join(release, `lightflow-${target}`), `#!/bin/sh\necho ${target}\n`);
  sums();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const sumOf = (path: string) => new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
function sums(): void {
  const names = readdirSync(release).filter((name) => name.startsWith("lightflow-"));
  writeFileSync(
    join(release, "SHA256SUMS"),
    names.map((name) => `${sumOf(join(release, name))}  ${name}\n`).join(""),
  );
}

async function install(...args: string[]) {
  const child = Bun.spawn(["sh", SCRIPT, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, text: out + error };
}

test("an executable is installed from a directory, a file address or a server once its sum is right", async () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response(Bun.file(join(release, new URL(request.url).pathname))),
  });
  try {
    for (const [position, from] of [
      release,
      `file://${release}`,
      `http://127.0.0.1:${server.port}`,
    ].entries()) {
      const to = join(directory, `bin ${position}`);
      const target = ["linux-x64", "linux-arm64", "linux-x64-baseline"][position]!;
      const { code, text } = await install("--from", from, "--to", to, "--target", target);
      expect({ from, code, text }).toEqual({
        from,
        code: 0,
        text: `installed lightflow-${target} as ${to}/lightflow\n`,
      });
      expect(readFileSync(join(to, "lightflow"), "utf8")).toContain(target);
      expect(statSync(join(to, "lightflow")).mode & 0o777).toBe(0o755);
      expect(readdirSync(to)).toEqual(["lightflow"]);
    }
    // Without a name it is this machine's.
    const own = await install("--from", release, "--to", join(directory, "own"));
    expect(own.text).toMatch(/installed lightflow-linux-(x64|x64-baseline|arm64) as/);
  } finally {
    await server.stop(true);
  }
});

test("wrong bytes, an unknown sum, another sum than the one asked for, and plain addresses change nothing", async () => {
  const to = join(directory, "kept");
  const executable = join(to, "lightflow");
  expect((await install("--from", release, "--to", to, "--target", "linux-x64")).code).toBe(0);
  const before = sumOf(executable);
  const attempt = async (message: string, ...args: string[]) => {
    const { code, text } = await install("--to", to, ...args);
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining(message) as never });
    expect([readdirSync(to), sumOf(executable)]).toEqual([["lightflow"], before]);
  };
  appendFileSync(join(release, "lightflow-linux-arm64"), "one byte more");
  await attempt("nothing was installed", "--from", release, "--target", "linux-arm64");
  await attempt("has no lightflow-linux-mips", "--from", release, "--target", "linux-mips");
  await attempt("nothing was installed", "--from", release, "--target", "linux-x64", "--sum", "0".repeat(64));
  await attempt("https:// or file:// alone", "--from", "http://example.com", "--target", "linux-x64");
  await attempt("cannot fetch", "--from", join(directory, "nowhere"), "--target", "linux-x64");
  await attempt("unknown argument", "--form", release);
  writeFileSync(join(release, "SHA256SUMS"), "; rm -rf /  lightflow-linux-x64\n");
  await attempt("lightflow-linux-x64", "--from", release, "--target", "linux-x64");
  expect(existsSync(executable)).toBe(true);
});

test("the same sources give the same bytes, wherever the result is put", async () => {
  const first = await build(join(directory, "a/lightflow"));
  const second = await build(join(directory, "b c/deeper/lightflow"));
  expect(sumOf(first.outfile)).toBe(sumOf(second.outfile));
  // Nor do they depend on where the sources lie.
  expect(readFileSync(first.outfile).includes(join(import.meta.dir, "../.."))).toBe(false);
});
