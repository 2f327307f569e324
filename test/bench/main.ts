/** `bun run bench NAME [arguments]` loads `test/bench/NAME.ts` and calls its `run`; without a name it lists them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Benchmark {
  /** One line for the list. */
  readonly about: string;
  run(args: readonly string[]): Promise<void>;
}

const HELPERS = ["main", "stats"];

function names(): string[] {
  return readdirSync(import.meta.dir)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => file.slice(0, -3))
    .filter((name) => !HELPERS.includes(name) && isBenchmark(name))
    .sort();
}

/** A floor or a fixture beside the benchmarks exports no `run`. */
function isBenchmark(name: string): boolean {
  return /^export (async function|const|function) run\b/m.test(
    readFileSync(join(import.meta.dir, `${name}.ts`), "utf8"),
  );
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined) {
  for (const each of names()) {
    const { about } = (await import(`./${each}.ts`)) as Benchmark;
    console.log(`${each.padEnd(12)} ${about}`);
  }
} else if (names().includes(name)) {
  await ((await import(`./${name}.ts`)) as Benchmark).run(args);
} else {
  console.error(`no benchmark ${name}; there are: ${names().join(", ")}`);
  process.exitCode = 2;
}
