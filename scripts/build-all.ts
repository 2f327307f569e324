/**
 * `npm run build:all [-- NAME…]`: one executable a platform in `dist/release`, and `SHA256SUMS` beside them. The same
 * commit gives the same bytes. Each that can run here is started once; the others say why they were not.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "../src/base/child-env.ts";
import { build } from "./build.ts";
import { muslEnvironment } from "./musl-trial.ts";
import { partsOf, TARGETS, type Target } from "./targets.ts";

const ROOT = join(import.meta.dir, "..");

const OUT = join(ROOT, "dist", "release");

export const sha256Of = (path: string): string =>
  new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");

/** What a target is started with on this machine, or why it cannot be. */
function starter(target: Target): { argv: string[]; env?: Record<string, string> } | { missing: string } {
  const foreign = target.arch !== process.arch;
  if (target.libc === "musl") {
    if (foreign) return { missing: "no musl for another kind of processor" };
    const musl = muslEnvironment(join(ROOT, "dist", "musl"));
    return "missing" in musl ? musl : { argv: [], env: musl.env };
  }
  if (!foreign) return { argv: [] };
  const qemu = Bun.which(target.arch === "arm64" ? "qemu-aarch64" : "qemu-x86_64");
  if (qemu === null) return { missing: "qemu-user is not installed" };
  const libraries = target.arch === "arm64" ? "/usr/aarch64-linux-gnu" : "/usr/x86_64-linux-gnu";
  if (!existsSync(join(libraries, "lib/libgcc_s.so.1")))
    return { missing: `no libc6-arm64-cross and libgcc-s1-arm64-cross in ${libraries}` };
  return { argv: [qemu, "-L", libraries] };
}

/** `--version` and a parse, which needs the addon. @returns one line */
async function tryOut(target: Target, path: string): Promise<string> {
  const start = starter(target);
  if ("missing" in start) return `not run: ${start.missing}`;
  const say = async (args: string[]) => {
    const child = Bun.spawn([...start.argv, path, ...args], {
      cwd: ROOT,
      env: childEnvironment({
        PATH: process.env["PATH"] ?? "",
        HOME: "/nonexistent",
        TMPDIR: "/tmp",
        ...start.env,
      }),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
    const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    clearTimeout(timer);
    if (code !== 0)
      throw new Error(`${target.name} ${args.join(" ")}: exit ${code ?? child.signalCode}\n${out}${error}`);
    return out.trim();
  };
  const version = await say(["--version"]);
  await say(["check", "--root", ROOT]);
  const libraries =
    start.env?.["LD_PRELOAD"] === undefined ? "" : " with the libraries of glibc behind a shim";
  return `ran: ${version}${start.argv.length === 0 ? "" : ` under ${start.argv[0]}`}${libraries}`;
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  const unknown = names.find((name) => !TARGETS.some((target) => target.name === name));
  if (unknown !== undefined) {
    console.error(`no target ${unknown}; there are ${TARGETS.map(({ name }) => name).join(", ")}`);
    process.exit(2);
  }
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const sums: string[] = [];
  for (const target of TARGETS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const outfile = join(OUT, `lightflow-${target.name}`);
    const { bytes, ms } = await build(outfile, "src/main.ts", { target, parts: await partsOf(target) });
    const sum = sha256Of(outfile);
    sums.push(`${sum}  lightflow-${target.name}\n`);
    console.log(`${target.name}: ${(bytes / 1e6).toFixed(1)} MB in ${(ms / 1000).toFixed(1)} s, ${sum}`);
    console.log(`  ${await tryOut(target, outfile)}`);
  }
  writeFileSync(join(OUT, "SHA256SUMS"), sums.join(""));
}
