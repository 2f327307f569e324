/**
 * Compiles the one executable: `bun scripts/build.ts [--outfile FILE] [--quiet]`. Prints its size.
 *
 * Bytecode with splitting needs ESM and gives the short start (each command's chunk is read only when used). `.env` and
 * `bunfig.toml` of whatever directory the executable is started in must not reach it.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { BunPlugin } from "bun";
import { PLACE, packing } from "./packing.ts";
import type { Target, TargetParts } from "./targets.ts";

const ROOT = join(import.meta.dir, "..");
/** Workers run as modules of their own, so each is an entry point beside the program. */
const WORKERS = [
  "cortexfs/worker-entry.ts",
  "src/runner/heartbeat/worker-entry.ts",
  "src/store/sqlite/worker-entry.ts",
];

export interface BuildResult {
  readonly outfile: string;
  readonly bytes: number;
  readonly ms: number;
}

/** Folded into the code: which build of the parser's addon is embedded. */
const LIBC = "process.env.LIGHTFLOW_LIBC";

/** Compile `entry` (and the workers that exist) to `outfile`; for this machine or for another
 * target; throws with the compiler's words when it fails.
 */
export async function build(
  outfile = join(ROOT, "dist", "lightflow"),
  entry = "src/main.ts",
  other?: { readonly target: Target; readonly parts: TargetParts },
): Promise<BuildResult> {
  const start = performance.now();
  const target = resolve(outfile);
  mkdirSync(dirname(target), { recursive: true });
  // The outfile's name goes into the executable, so the build happens under the final name in a directory of its own,
  // and an executable that is in use is replaced by a rename.
  const staging = join(dirname(target), `.build-${process.pid}`);
  mkdirSync(staging, { recursive: true });
  const staged = join(staging, basename(target));
  const workers = entry === "src/main.ts" ? WORKERS.filter((path) => existsSync(join(ROOT, path))) : [];
  try {
    const built = await Bun.build({
      entrypoints: [entry, ...workers].map((path) => resolve(ROOT, path)),
      root: ROOT,
      target: "bun",
      format: "esm",
      minify: true,
      bytecode: true,
      splitting: true,
      sourcemap: "none",
      define: {
        ...PLACE,
        [LIBC]: JSON.stringify(other?.target.libc ?? "gnu"),
      },
      compile: {
        outfile: staged,
        autoloadDotenv: false,
        autoloadBunfig: false,
        ...(other === undefined
          ? {}
          : { target: other.target.bun as Bun.Build.CompileTarget, executablePath: other.parts.executable }),
      },
      plugins: [await packing(), ...(other === undefined ? [] : [addonsOf(other.parts)])],
    });
    if (!built.success || !existsSync(staged)) throw new Error(`the build failed\n${built.logs.join("\n")}`);
    renameSync(staged, target);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return { outfile: target, bytes: statSync(target).size, ms: Math.round(performance.now() - start) };
}

/** The addons of another platform, which npm does not install on this one. */
const addonsOf = ({ modules }: TargetParts): BunPlugin => ({
  name: "addons",
  setup(build) {
    build.onResolve({ filter: /^@oxc-parser\/binding-/ }, ({ path }) => ({
      path: Bun.resolveSync(path, modules),
    }));
  },
});

/** Every file that the executable is made of, for the stamp of what was built. */
export function sourceFiles(): string[] {
  const files = [
    "package.json",
    "package-lock.json",
    "scripts/build.ts",
    "scripts/packing.ts",
    "openapi/lightflow.yaml",
    "tsconfig.json",
  ];
  for (const folder of ["src", "cortexfs"]) {
    const root = join(ROOT, folder);
    if (!existsSync(root)) continue;
    for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
      const path = join(folder, name);
      if (!name.endsWith(".test.ts") && statSync(join(ROOT, path)).isFile()) files.push(path);
    }
  }
  return files.sort();
}

/** SHA-256 over the names and bytes of {@link sourceFiles}. */
export async function sourceDigest(): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const path of sourceFiles()) {
    hasher.update(`${path}\0`);
    hasher.update(await Bun.file(join(ROOT, path)).bytes());
    hasher.update("\0");
  }
  return hasher.digest("hex");
}

/** Build `dist/lightflow` unless it was made from exactly these sources. Returns its path. */
export async function buildIfStale(log: (line: string) => void = () => {}): Promise<string> {
  const outfile = join(ROOT, "dist", "lightflow");
  const stamp = join(ROOT, "dist", "lightflow.sources");
  const digest = await sourceDigest();
  const built = existsSync(outfile) && existsSync(stamp) ? (await Bun.file(stamp).text()).trim() : "";
  if (built === digest) return outfile;
  log(describe(await build(outfile)));
  await Bun.write(stamp, `${digest}\n`);
  return outfile;
}

function describe({ outfile, bytes, ms }: BuildResult): string {
  return `built ${outfile}: ${(bytes / 1e6).toFixed(1)} MB (${bytes} bytes) in ${(ms / 1000).toFixed(1)} s`;
}

if (import.meta.main) {
  const argv = process.argv.slice(2);
  try {
    if (argv.length === 0) {
      rmSync(join(ROOT, "dist", "lightflow.sources"), { force: true });
      await buildIfStale(console.log);
    } else if (argv.length === 1 && argv[0] === "--if-stale") await buildIfStale(console.log);
    else if (argv.length === 2 && argv[0] === "--outfile") console.log(describe(await build(argv[1])));
    else {
      console.error(`unexpected argument for build: ${argv.join(" ")}; takes --if-stale or --outfile FILE`);
      process.exitCode = 2;
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
