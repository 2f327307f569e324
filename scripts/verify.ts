/**
 * Everything that must hold, stage by stage: `bun run verify`; `--deep` runs the long suites whole. The last line is
 * `N passed, N failed` over all tests, where a stage that is no test counts one when it fails. Exit code 1 on any
 * failure.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { childEnvironment } from "../src/base/child-env.ts";

const ROOT = join(import.meta.dir, "..");
const BIN = join(ROOT, "node_modules", ".bin");

interface Stage {
  readonly name: string;
  readonly command: readonly string[];
  /** A `bun test` whose results are counted. */
  readonly tests?: boolean;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const bun = process.execPath;
// Busy machines: Bun's five seconds are not enough for tests that start processes.
const test = (...args: string[]) => [bun, "test", "--timeout", "20000", ...args];

function stages(): Stage[] {
  const units = ["src", "cortexfs", "lightflow"].filter((folder) => existsSync(join(ROOT, folder)));
  // Suites share the machine's processors with the processes that they start: one directory after the other.
  const suites = readdirSync(join(ROOT, "test"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && hasTests(join(ROOT, "test", entry.name)))
    .map((entry) => entry.name)
    .sort();
  return [
    { name: "type check", command: [bun, "check", "--no-script"] },
    { name: "lint and format", command: [join(BIN, "biome"), "check", "--error-on-warnings", "."] },
    { name: "architecture", command: test("./test/architecture.test.ts"), tests: true },
    { name: "unit tests", command: test("--parallel", ...units), tests: true },
    { name: "build", command: [bun, "scripts/build.ts", "--if-stale"] },
    ...suites.map((suite) => ({
      name: `test/${suite}`,
      command: test("--parallel", `./test/${suite}`),
      tests: true,
    })),
  ];
}

function hasTests(folder: string): boolean {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).some((name) => name.endsWith(".test.ts"));
}

const isDeep = process.argv.includes("--deep");
/** A stage that hangs must not hold the others up for ever. */
const STAGE_LIMIT_MS = (isDeep ? 60 : 6) * 60_000;
/** Ends the stage that is running. */
let endStage: (() => void) | undefined;

/** Totals of a JUnit report. */
function readReport(path: string): Counts {
  const head = existsSync(path) ? (/<testsuites [^>]*>/.exec(readFileSync(path, "utf8"))?.[0] ?? "") : "";
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  return { failed, skipped: count("skipped"), passed: count("tests") - failed - count("skipped") };
}

/**
 * Run one stage.
 * @param isBuilt whether the executable is there, so that its tests need not look for changes
 */
async function runStage(stage: Stage, report: string, isBuilt: boolean) {
  const command = stage.tests
    ? [...stage.command, "--reporter=junit", `--reporter-outfile=${report}`]
    : [...stage.command];
  const start = performance.now();
  const child = Bun.spawn(command, {
    cwd: ROOT,
    env: childEnvironment(process.env, {
      PATH: `${BIN}:${process.env["PATH"]}`,
      ...(isBuilt ? { LIGHTFLOW_TEST_BINARY: join(ROOT, "dist", "lightflow") } : {}),
      ...(isDeep ? { LIGHTFLOW_DEEP: "1" } : {}),
    }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A group of its own, so that a stage that hangs goes with all that it has started.
    detached: true,
  });
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  endStage = end;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, STAGE_LIMIT_MS);
  const [out, error, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(timer);
  endStage = undefined;
  const counts = stage.tests ? readReport(report) : { passed: 0, failed: 0, skipped: 0 };
  const ran = counts.passed + counts.failed;
  // A run of no tests at all proves nothing, and a file that does not load is no failed test to the report.
  const broken = code !== 0 || (stage.tests === true && ran === 0);
  return {
    seconds: (performance.now() - start) / 1000,
    text: `${out}${error}${late ? `\nstopped after ${STAGE_LIMIT_MS / 60_000} minutes\n` : ""}`,
    counts: { ...counts, failed: broken && counts.failed === 0 ? 1 : counts.failed },
    broken,
  };
}

/** What went wrong, without the hundreds of lines of what went well. */
function withoutPasses(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^(\(pass\)|\(skip\)|✓) /.test(line))
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

const unknown = process.argv.slice(2).filter((argument) => argument !== "--deep");
if (unknown.length > 0) {
  console.error(`unexpected argument for verify: ${unknown[0]}; it takes --deep`);
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), "lightflow-verify-"));
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(signal, () => {
    endStage?.();
    rmSync(scratch, { recursive: true, force: true });
    process.exit(code);
  });
}

const notRun: string[] = [];
let passed = 0;
let failed = 0;
let skipped = 0;
const start = performance.now();
try {
  let isBuilt = false;
  for (const [index, stage] of stages().entries()) {
    const report = join(scratch, `${index}.xml`);
    const { seconds, text, counts, broken } = await runStage(stage, report, isBuilt);
    if (stage.name === "build") isBuilt = !broken;
    if (broken) console.log(withoutPasses(text));
    notRun.push(...text.split("\n").filter((line) => line.startsWith("not run: ")));
    passed += counts.passed;
    failed += counts.failed;
    skipped += counts.skipped;
    const tests = stage.tests ? `  ${counts.passed} passed, ${counts.failed} failed` : "";
    console.log(
      `${broken ? "FAIL" : "ok  "} ${stage.name.padEnd(18)} ${seconds.toFixed(1).padStart(6)} s${tests}`,
    );
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

const reasons = new Map<string, number>();
for (const line of notRun) reasons.set(line, (reasons.get(line) ?? 0) + 1);
for (const [line, count] of reasons) console.log(count === 1 ? line : `${line} (${count} times)`);
console.log(
  `${((performance.now() - start) / 1000).toFixed(1)} s; ${skipped} skipped, ${notRun.length} not run for want of a prerequisite`,
);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
