import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { BROWSER_EXITS, type BrowserErrorCode, type BrowserStart } from "../base/browser.ts";
import type { OwnBrowser } from "./browser/browser.ts";
import { openContext } from "./context.ts";

/**
 * The child that runs a node's function `run(input, ctx)`. It is started by a runner inside the sandbox of the task, with
 * the file of the node by its digest and the inputs as JSON on standard input; nobody else ever transpiles or loads a
 * node's file. What the function returns goes into the file that LIGHTFLOW_OUTPUT names, what it prints is the log.
 * @param browserStart JSON, where the task has a browser
 * @returns the exit code
 */
export async function runCode(
  sourcePath: string | undefined,
  browserStart?: string | undefined,
): Promise<number> {
  let browser: OwnBrowser | null = null;
  try {
    if (sourcePath === undefined) throw new Error("the file of the node is missing");
    const inputs = JSON.parse(await Bun.stdin.text()) as unknown;
    const run = await load(readFileSync(sourcePath, "utf8"));
    if (browserStart !== undefined) {
      const { createBrowser } = await import("./browser/browser.ts");
      browser = createBrowser(JSON.parse(browserStart) as BrowserStart, process.env);
    }
    const context = openContext(process.env, browser);
    const running = run(inputs, context);
    const output: unknown = await (browser === null ? running : Promise.race([running, browser.failed]));
    const text = JSON.stringify(output ?? null);
    if (text === undefined) throw new Error("run() returned what is not JSON");
    const target = process.env["LIGHTFLOW_OUTPUT"];
    if (target === undefined) process.stdout.write(`${text}\n`);
    else writeFileSync(target, text);
    return 0;
  } catch (error) {
    const code = (error as { code?: BrowserErrorCode } | null)?.code;
    const exit = browser === null || code === undefined ? undefined : BROWSER_EXITS[code];
    if (exit !== undefined) {
      // The last line is what a result is summed up with.
      console.error(`${code}: ${(error as Error).message}`);
      return exit;
    }
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    return 1;
  } finally {
    browser?.close();
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
