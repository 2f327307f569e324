import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fuseUnavailable } from "../../cortexfs/commands.ts";

const MAIN = join(import.meta.dir, "../../cortexfs/main.ts");
/** A test that hangs on its mount ends after this: the mount is taken away by force. It holds for all tests of a file. */
const WATCHDOG_MS = 300_000;

export type Kind = "mount" | "directory";

/** Why mounts cannot be tested here; required ones fail instead of being left out. */
export function notRun(): string | undefined {
  const reason = fuseUnavailable();
  if (reason === undefined) return undefined;
  if ((process.env["LIGHTFLOW_REQUIRE"] ?? "").split(",").includes("fuse"))
    throw new Error(`fuse is required: ${reason}`);
  console.log(`not run: ${reason}`);
  return reason;
}

export interface ServedOptions {
  readonly env?: Record<string, string>;
  readonly allowOther?: boolean;
}

/** A served tree: a daemon in a process of its own, as every user of it has. */
export class Served {
  readonly kind: Kind;
  readonly base = mkdtempSync(join(tmpdir(), "cortexfs-test-"));
  readonly root = join(this.base, "ctx");
  readonly #options: ServedOptions;
  #child: Bun.Subprocess<"ignore", "pipe", "inherit"> | undefined;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  private constructor(kind: Kind, options: ServedOptions) {
    this.kind = kind;
    this.#options = options;
    // A run that ends early leaves no daemon and no mount behind.
    process.on("exit", () => this.#force());
  }

  static async start(kind: Kind, options: ServedOptions = {}): Promise<Served> {
    const served = new Served(kind, options);
    await served.restart();
    return served;
  }

  get pid(): number {
    return this.#child!.pid;
  }

  get home(): string {
    return join(this.root, "home", String(process.getuid!()));
  }

  /** Start the daemon (again) and wait until it serves. */
  async restart(): Promise<void> {
    mkdirSync(join(this.base, "state"), { recursive: true });
    const place = this.kind === "mount" ? ["mount", "--at", this.root] : ["serve", "--dir", this.root];
    const child = Bun.spawn(
      [
        process.execPath,
        MAIN,
        ...place,
        "--state",
        join(this.base, "state"),
        ...(this.#options.allowOther ? ["--allow-other"] : []),
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "inherit", env: { ...process.env, ...this.#options.env } },
    );
    this.#child = child;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#force(), WATCHDOG_MS);
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    reader.releaseLock();
    if (done) throw new Error(`the daemon did not start (exit code ${await child.exited})`);
  }

  /** SIGKILL, as a crash is. */
  async kill(): Promise<void> {
    this.#child!.kill("SIGKILL");
    await this.#child!.exited;
  }

  /** SIGTERM; returns the exit code. */
  async end(): Promise<number> {
    this.#child!.kill("SIGTERM");
    return this.#child!.exited;
  }

  async stop(): Promise<void> {
    await this.end();
    clearTimeout(this.#watchdog);
    this.#force();
    rmSync(this.base, { recursive: true, force: true });
  }

  #force(): void {
    this.#child?.kill("SIGKILL");
    if (this.kind === "mount")
      Bun.spawnSync(["umount", "-f", "-l", this.root], { stdout: "ignore", stderr: "ignore" });
  }
}

/** Wait until something holds; what never does fails the test and says what was waited for. */
export async function until<T>(probe: () => T | undefined | false): Promise<T> {
  for (const end = performance.now() + 18_000; performance.now() < end; await Bun.sleep(5)) {
    const value = probe();
    if (value !== undefined && value !== false) return value;
  }
  throw new Error(`this never held: ${probe.toString()}`);
}

export const read = (path: string): string => readFileSync(path, "utf8");
export const readIf = (path: string): string | undefined => (existsSync(path) ? read(path) : undefined);

/** The name of the error that a file operation fails with, or undefined if it does not. */
export function refusal(operation: () => unknown): string | undefined {
  try {
    operation();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Run a shell script in a directory; returns its standard output, with standard error behind it. */
export function shell(directory: string, script: string): { code: number; out: string } {
  const result = Bun.spawnSync(["sh", "-c", script], { cwd: directory, stdout: "pipe", stderr: "pipe" });
  return { code: result.exitCode, out: result.stdout.toString() + result.stderr.toString() };
}
