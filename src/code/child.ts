import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openContext } from "./context.ts";

/**
 * The child that runs a node's function `run(input, ctx)`. It is started by a runner inside the sandbox of the task, with
 * the file of the node by its digest and the inputs as JSON on standard input; nobody else ever transpiles or loads a
 * node's file. What the function returns goes into the file that LIGHTFLOW_OUTPUT names, what it prints is the log.
 * @returns the exit code
 */
export async function runCode(sourcePath: string | undefined): Promise<number> {
  try {
    if (sourcePath === undefined) throw new Error("the file of the node is missing");
    const inputs = JSON.parse(await Bun.stdin.text()) as unknown;
    const run = await load(readFileSync(sourcePath, "utf8"));
    const context = openContext(process.env);
    const output: unknown = await run(inputs, context);
    const text = JSON.stringify(output ?? null);
    if (text === undefined) throw new Error("run() returned what is not JSON");
    const target = process.env["LIGHTFLOW_OUTPUT"];
    if (target === undefined) process.stdout.write(`${text}\n`);
    else writeFileSync(target, text);
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    return 1;
  }
}

type NodeFunction = (input: unknown, context: unknown) => unknown;

/** The words of `define()`: they are read elsewhere, and do nothing here. */
const WORDS = `const chain = new Proxy(function () {}, { get: (_, name) => (name === "then" ? undefined : chain), apply: () => chain });
export const workflow = chain, node = chain, composition = chain, model = chain, AssetKind = chain, Stability = chain;
`;
const PRELOAD = /(?:^|\/)preload\/lightflow(?:\.ts)?$/;

async function load(source: string): Promise<NodeFunction> {
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "bun" });
  const directory = mkdtempSync(join(tmpdir(), "code-"));
  const words = join(directory, "words.mjs");
  writeFileSync(words, WORDS);
  let text = transpiler.transformSync(source);
  for (const { path, kind } of new Bun.Transpiler({ loader: "js" }).scanImports(text)) {
    if (kind !== "import-statement" || /^(?:node:|bun(?::|$))/.test(path)) continue;
    if (!PRELOAD.test(path)) {
      throw new Error(
        `the node imports ${path}: its file travels alone, so only node:, bun: and the preload are there`,
      );
    }
    text = text
      .replaceAll(JSON.stringify(path), JSON.stringify(words))
      .replaceAll(`'${path}'`, JSON.stringify(words));
  }
  const module = join(directory, "node.mjs");
  mkdirSync(dirname(module), { recursive: true });
  writeFileSync(module, text);
  const loaded = (await import(module)) as { run?: unknown };
  if (typeof loaded.run !== "function") throw new Error("the file exports no function run");
  return loaded.run as NodeFunction;
}
