/**
 * The platforms that executables are made for, and the parts of another platform that one needs: Bun's runtime and the
 * parser's addon. Both come from npm at the versions of the lock file, and are taken only with the integrity that stands
 * there.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { childEnvironment } from "../src/base/child-env.ts";

const ROOT = join(import.meta.dir, "..");
/** A `node_modules` beside ours: what npm would not install on this machine. */
const CACHE = join(ROOT, "dist", "targets");

export interface Target {
  readonly name: string;
  /** As `bun build --target` calls it. */
  readonly bun: string;
  readonly arch: "x64" | "arm64";
  readonly libc: "gnu" | "musl";
  /** The npm package of the runtime. */
  readonly runtime: string;
}

export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    bun: "bun-linux-x64",
    arch: "x64",
    libc: "gnu",
    runtime: "@oven/bun-linux-x64",
  },
  {
    name: "linux-x64-baseline",
    bun: "bun-linux-x64-baseline",
    arch: "x64",
    libc: "gnu",
    runtime: "@oven/bun-linux-x64-baseline",
  },
  {
    name: "linux-arm64",
    bun: "bun-linux-arm64",
    arch: "arm64",
    libc: "gnu",
    runtime: "@oven/bun-linux-aarch64",
  },
  {
    name: "linux-x64-musl",
    bun: "bun-linux-x64-musl",
    arch: "x64",
    libc: "musl",
    runtime: "@oven/bun-linux-x64-musl",
  },
  {
    name: "linux-arm64-musl",
    bun: "bun-linux-arm64-musl",
    arch: "arm64",
    libc: "musl",
    runtime: "@oven/bun-linux-aarch64-musl",
  },
];

/** The package of Bun does not name this one, so the lock file has it not: for processors without AVX2. */
const NOT_LOCKED: Record<string, { version: string; integrity: string }> = {
  "@oven/bun-linux-x64-baseline": {
    version: "1.4.5",
    integrity:
      "sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==",
  },
};

export interface TargetParts {
  /** Bun for the target. */
  readonly executable: string;
  /** Where packages of the target are found. */
  readonly modules: string;
}

/** Fetch what is missing. @throws Error when npm has it not, or has other bytes than the lock file says */
export async function partsOf(target: Target): Promise<TargetParts> {
  const runtime = await packageOf(target.runtime);
  await packageOf(`@oxc-parser/binding-linux-${target.arch}-${target.libc}`);
  return { executable: join(runtime, "bin", "bun"), modules: join(CACHE, "node_modules") };
}

async function packageOf(name: string): Promise<string> {
  const { version, integrity } = locked(name);
  const directory = join(CACHE, "node_modules", name);
  const manifest = join(directory, "package.json");
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version)
    return directory;
  const work = join(CACHE, `fetch-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    await spawn(["npm", "pack", "--silent", `${name}@${version}`, "--pack-destination", work], ROOT);
    const [file] = [...new Bun.Glob("*.tgz").scanSync(work)];
    if (file === undefined) throw new Error(`npm brought no ${name}@${version}`);
    const bytes = readFileSync(join(work, file));
    const found = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    if (found !== integrity)
      throw new Error(`${name}@${version} is ${found}, but package-lock.json has ${integrity}`);
    await spawn(["tar", "-xzf", file], work);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(join(directory, ".."), { recursive: true });
    renameSync(join(work, "package"), directory);
    return directory;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function locked(name: string): { version: string; integrity: string } {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const entry = lock.packages[`node_modules/${name}`] ?? NOT_LOCKED[name];
  if (entry === undefined) throw new Error(`package-lock.json has no ${name}`);
  const bun = lock.packages["node_modules/bun"]!.version;
  if (name.startsWith("@oven/") && entry.version !== bun)
    throw new Error(`${name} is ${entry.version}, and Bun ${bun}: update NOT_LOCKED`);
  return entry;
}

async function spawn(argv: string[], cwd: string): Promise<void> {
  const child = Bun.spawn(argv, {
    cwd,
    env: childEnvironment(),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${argv.join(" ")} failed (${code})\n${out}${error}`);
}
