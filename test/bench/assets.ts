import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ASSET_KINDS } from "../../src/assets/kinds.ts";
import { parseTypeScript } from "../../src/assets/parser.ts";
import { childEnvironment } from "../../src/base/child-env.ts";
import { binary } from "../support/binary.ts";
import { against, figures, inTurns, pairedRatio, show } from "./stats.ts";

export const about =
  "discovery of 10,000 asset files, cold and warm, beside the parser alone; `assets workflows` as a process";

const MIB = 1024 * 1024;

/** `bun run bench assets [files] [rounds]` */
export async function run(args: readonly string[]): Promise<void> {
  const count = Number(args[0] ?? 10_000);
  const rounds = Number(args[1] ?? 5);
  const scratch = mkdtempSync(join(tmpdir(), "lightflow-bench-assets-"));
  try {
    const root = project(join(scratch, "many"), count);
    // Files of this very moment are not remembered by the index.
    await Bun.sleep(100);
    const cache = join(scratch, "cache");
    // Each measurement has a process of its own, so that neither its memory nor its warmth is another's.
    const child = (what: string) => () => measure(what, root, cache);
    const floor: Measured[] = [];
    const cold: Measured[] = [];
    const warm: Measured[] = [];
    const noted = (list: Measured[], make: () => Promise<Measured>) => async () => {
      const measured = await make();
      list.push(measured);
      return measured.ms;
    };
    const times = await inTurns(
      {
        parser: noted(floor, child("parser")),
        cold: noted(cold, () => {
          rmSync(cache, { recursive: true, force: true });
          return measure("list", root, cache);
        }),
        warm: noted(warm, async () => {
          if (!hasIndex(cache)) await measure("list", root, cache);
          return await measure("list", root, cache);
        }),
      },
      rounds,
      1,
    );
    console.log(`files                    ${count}`);
    console.log(`the parser alone         ${show(figures(times.parser), "ms")}`);
    console.log(`cold                     ${show(figures(times.cold), "ms")}`);
    console.log(`warm, from the index     ${show(figures(times.warm), "ms")}`);
    const memory = figures(cold.map(({ bytes }) => bytes / MIB));
    console.log(`memory, cold             ${show(memory, "MiB", 0)}`);
    console.log(against("cold against the parser", pairedRatio(times.cold, times.parser).median, 1.5, "x"));
    console.log(against("warm against cold", pairedRatio(times.warm, times.cold).median, 0.15, "x"));
    console.log(against("memory", memory.median, 250, "MiB", 0));
    await wholeProcess(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const hasIndex = (cache: string): boolean => {
  try {
    return readdirSync(cache).length > 0;
  } catch {
    return false;
  }
};

/** `assets workflows` on 100 assets with a warm index against the executable's own `--version`. */
async function wholeProcess(scratch: string): Promise<void> {
  const executable = await binary();
  const root = project(join(scratch, "few"), 100);
  await Bun.sleep(100);
  const env = {
    ...childEnvironment(process.env),
    XDG_CACHE_HOME: join(scratch, "xdg"),
    XDG_CONFIG_HOME: scratch,
  };
  const whole = (words: string[]) => async () => {
    await Bun.spawn([executable, ...words], { cwd: root, env, stdout: "ignore", stderr: "ignore" }).exited;
    return undefined;
  };
  const times = await inTurns({ version: whole(["--version"]), list: whole(["assets", "workflows"]) }, 40, 3);
  console.log(`--version                ${show(figures(times.version), "ms")}`);
  console.log(`assets workflows, warm   ${show(figures(times.list), "ms")}`);
  const ratio = pairedRatio(times.list, times.version).median;
  console.log(against("assets workflows against --version", ratio, 4, "x"));
}

interface Measured {
  readonly ms: number;
  readonly bytes: number;
}

async function measure(what: string, root: string, cache: string): Promise<Measured> {
  const child = Bun.spawn([process.execPath, import.meta.path, what, root, cache], {
    env: childEnvironment(process.env),
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`measuring ${what} failed`);
  return JSON.parse(text) as Measured;
}

/** A project of workflows, nodes and models as people write them. */
function project(root: string, count: number): string {
  const texts = {
    workflows: (at: number) => `import { type AssetMeta, workflow } from "../preload/lightflow.ts";

export const META = {
  id: "workflow.w${at}",
  title: "Workflow ${at}",
  kind: "workflow",
  description: "Drafts a plan in text from a prompt.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return workflow(META.id)
    .input("prompt", { type: "string", description: "What it is about", required: true })
    .requiredModel("model.m${at}")
    .apiStep("draft", "node.n${at}", "openai.chat")
    .openaiChatInput("model.m${at}", "prompt")
    .set("length", { length: "\${ .steps.draft.output.choices[0].message.content | length }" })
    .output({ text: "\${ .steps.draft.output.choices[0].message.content }", length: "\${ .steps.length.output.length }" });
}
`,
    nodes: (at: number) => `import { type AssetMeta, node } from "../preload/lightflow.ts";

export const META = {
  id: "node.n${at}",
  title: "Node ${at}",
  kind: "node",
  description: "Writes a text in capital letters.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("text", { type: "string", description: "What to work on", required: true })
    .output("text", { type: "string", required: true })
    .value({ text: "\${ .inputs.text | ascii_upcase }" });
}
`,
    models: (at: number) => `import { type AssetMeta, model } from "../preload/lightflow.ts";

export const META = {
  id: "model.m${at}",
  title: "Model ${at}",
  kind: "model",
  description: "Writes plans.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return model(META.id).capability("chat").candidate({ model: "demo" });
}
`,
  };
  for (const folder of Object.keys(texts)) mkdirSync(join(root, "lightflow", folder), { recursive: true });
  const folders = Object.keys(texts) as (keyof typeof texts)[];
  for (let at = 0; at < count; at++) {
    const folder = folders[at % folders.length]!;
    writeFileSync(join(root, "lightflow", folder, `a${at}.ts`), texts[folder](at));
  }
  return root;
}

/** As a child of its own: one measurement, its time and the most memory it had. */
if (import.meta.main) {
  const [what, root, cache] = process.argv.slice(2) as [string, string, string];
  const { listAssets } = await import("../../src/assets/listing.ts");
  parseTypeScript("export const warm = 1;");
  const start = performance.now();
  if (what === "parser") {
    for (const folder of ["workflows", "nodes", "models"]) {
      const directory = join(root, "lightflow", folder);
      for (const name of readdirSync(directory)) parseTypeScript(readFileSync(join(directory, name), "utf8"));
    }
  } else {
    const { assets } = await listAssets(root, cache, ASSET_KINDS, () => import("../../src/assets/entry.ts"));
    if (assets.length < 100) throw new Error("too few assets were found");
  }
  const ms = performance.now() - start;
  const bytes = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ ms, bytes }));
}
