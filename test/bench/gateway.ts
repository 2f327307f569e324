import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary } from "../support/binary.ts";
import { figures, inTurns, pairedRatio, show } from "./stats.ts";

export const about =
  "GET and POST of a run by wrk beside a bare Elysia route, 1,000 followers of one run, MCP beside HTTP; fsync on";

const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 2);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const CONNECTIONS = Number(process.env["BENCH_CALLERS"] ?? 16);
const FOLLOWERS = Number(process.env["BENCH_FOLLOWERS"] ?? 1000);
const EVENTS = 100;

const WORKFLOW = (
  id: string,
  chain: string,
) => `import { type AssetMeta, workflow } from "../preload/lightflow.ts";
export const META = { id: "workflow.${id}", title: "T", kind: "workflow", description: "D.", stability: "stable" } as const satisfies AssetMeta;
export function define() {
  return workflow(META.id)${chain};
}
`;

/** Requests a second. @throws when an answer was not 2xx */
async function wrk(url: string, body?: string): Promise<number> {
  const script = join(tmpdir(), `bench-gateway-${process.pid}.lua`);
  if (body !== undefined) {
    writeFileSync(
      script,
      `wrk.method = "POST"\nwrk.body = [[${body}]]\nwrk.headers["content-type"] = "application/json"\n`,
    );
  }
  const child = Bun.spawn(
    ["wrk", "-t1", `-c${CONNECTIONS}`, `-d${SECONDS}s`, ...(body === undefined ? [] : ["-s", script]), url],
    { stdout: "pipe" },
  );
  const text = await child.stdout.text();
  if (body !== undefined) rmSync(script);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)?.[1];
  if (rate === undefined || text.includes("Non-2xx")) throw new Error(`${url}: ${text}`);
  return Number(rate);
}

type Child = ReturnType<typeof Bun.spawn<"pipe", "pipe", "inherit">>;

/** Reads the lines of a child one by one. */
function lineReader(child: Child): () => Promise<string> {
  const reader = child.stdout.getReader();
  let text = "";
  return async () => {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the process ended early");
      text += Buffer.from(value).toString();
    }
    const at = text.indexOf("\n");
    const line = text.slice(0, at);
    text = text.slice(at + 1);
    return line;
  };
}

const start = (command: string[], env: Record<string, string> = {}): Child =>
  Bun.spawn(command, { env: { ...process.env, ...env }, stdin: "pipe", stdout: "pipe", stderr: "inherit" });

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });

async function routes(directory: string, project: string): Promise<void> {
  const env = {
    HOME: directory,
    XDG_STATE_HOME: join(directory, "state"),
    XDG_RUNTIME_DIR: join(directory, "run"),
    XDG_CONFIG_HOME: join(directory, "config"),
    XDG_CACHE_HOME: join(directory, "cache"),
  };
  const up = start(
    [
      await binary(),
      "up",
      "--no-runner",
      "--no-ctx",
      "--port",
      "0",
      "--controller-port",
      "0",
      "--root",
      project,
      "--json",
    ],
    env,
  );
  const { gateway } = JSON.parse(await lineReader(up)()) as { gateway: string };
  const begin = { workflow_asset_id: "workflow.now", inputs: { name: "Ada" } };
  await post(`${gateway}/runs/start`, { ...begin, run_id: "one" });
  await fetch(`${gateway}/runs/one/wait?wait_ms=5000`);
  const bytes = await (await fetch(`${gateway}/runs/one`)).text();
  const floor = start(["bun", join(import.meta.dir, "gateway-floor.ts"), join(directory, "floor.db"), bytes]);
  const bare = `http://127.0.0.1:${await lineReader(floor)()}`;
  try {
    if ((await (await fetch(`${bare}/run/one`)).text()) !== bytes)
      throw new Error("the floor answers other bytes");
    const get = await inTurns(
      { ours: () => wrk(`${gateway}/runs/one`), floor: () => wrk(`${bare}/run/one`) },
      ROUNDS,
    );
    tell("GET of a run", get, 0.7);
    const body = JSON.stringify(begin);
    const written = await inTurns(
      { ours: () => wrk(`${gateway}/runs/start`, body), floor: () => wrk(`${bare}/run`, body) },
      ROUNDS,
    );
    tell("POST of a run", written, 0.5);
    await protocols(gateway);
  } finally {
    floor.kill();
    up.kill();
    await Promise.all([floor.exited, up.exited]);
  }
}

function tell(name: string, rates: Record<"ours" | "floor", number[]>, aim: number): void {
  console.log(`${name}: ours ${show(figures(rates.ours), "requests/s", 0)}`);
  console.log(`${" ".repeat(name.length)}  bare ${show(figures(rates.floor), "requests/s", 0)}`);
  const ratio = pairedRatio(rates.ours, rates.floor);
  console.log(`${ratio.median >= aim ? "ok  " : "UNDER"} ${show(ratio, "of the bare route", 2)}, aim ${aim}`);
}

/** initialize, tools/list and one call, one after the other, beside the same service call alone over plain HTTP. */
async function protocols(gateway: string): Promise<void> {
  const accept = { accept: "application/json, text/event-stream" };
  const message = async (method: string, params: unknown) =>
    await (await post(`${gateway}/mcp`, { jsonrpc: "2.0", id: 1, method, params }, accept)).text();
  const begin = { workflow_asset_id: "workflow.now", inputs: { name: "Ada" } };
  const calls = {
    start_run: { given: begin, plain: () => post(`${gateway}/runs/start`, begin) },
    get_run: { given: { run_id: "one" }, plain: () => fetch(`${gateway}/runs/one`) },
  };
  for (const [name, { given, plain }] of Object.entries(calls)) {
    const times = await inTurns(
      {
        async mcp() {
          await message("initialize", {
            protocolVersion: "2025-11-25",
            capabilities: {},
            clientInfo: { name: "bench", version: "1" },
          });
          await message("tools/list", {});
          await message("tools/call", { name, arguments: given });
          return undefined;
        },
        async http() {
          await (await plain()).text();
          return undefined;
        },
      },
      200,
      20,
    );
    console.log(`MCP, initialize + tools/list + ${name}: ${show(figures(times.mcp), "ms", 2)}`);
    console.log(`the same service call over plain HTTP:  ${show(figures(times.http), "ms", 2)}`);
    const ratio = pairedRatio(times.mcp, times.http);
    console.log(`${ratio.median <= 3 ? "ok  " : "OVER"} ${show(ratio, "times as long", 2)}, limit 3`);
  }
}

async function followers(directory: string, project: string): Promise<void> {
  const seconds = 4;
  const host = start([
    "bun",
    join(import.meta.dir, "gateway-host.ts"),
    join(directory, "followed"),
    project,
    String(EVENTS),
    String(seconds),
  ]);
  const hostLine = lineReader(host);
  const url = await hostLine();
  await post(`${url}/runs/start`, { workflow_asset_id: "workflow.slow", run_id: "r" });
  const reading = start(["bun", join(import.meta.dir, "gateway-followers.ts"), url, String(FOLLOWERS), "5"]);
  const readingLine = lineReader(reading);
  await readingLine();
  host.stdin.write("\n");
  await host.stdin.flush();
  const { written, rss } = JSON.parse(await hostLine()) as { written: number; rss: number };
  reading.stdin.write("\n");
  await reading.stdin.flush();
  const seen = JSON.parse(await readingLine()) as Record<string, number>;
  host.kill();
  await Promise.all([host.exited, reading.exited]);
  const memory = rss / 2 ** 20;
  console.log(
    `${FOLLOWERS} followers, ${EVENTS} events/s for ${seconds} s, 5 more that never read: ${written} events, the slowest follower has ${seen["fewest"]}, ${seen["disordered"]} out of order`,
  );
  console.log(
    `${seen["p99"]! <= 100 ? "ok  " : "OVER"} lag p50 ${seen["p50"]} ms, p99 ${seen["p99"]} ms, worst ${seen["worst"]} ms, limit 100 ms at p99`,
  );
  console.log(
    `${memory <= 200 ? "ok  " : "OVER"} memory of the server ${memory.toFixed(0)} MiB, limit 200 MiB`,
  );
}

export async function run(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-gateway-"));
  const project = join(directory, "project");
  mkdirSync(join(project, "lightflow/workflows"), { recursive: true });
  writeFileSync(
    join(project, "lightflow/workflows/now.ts"),
    WORKFLOW("now", '.input("name", { type: "string" }).output({ hello: "${ .inputs.name }" })'),
  );
  writeFileSync(
    join(project, "lightflow/workflows/slow.ts"),
    WORKFLOW("slow", '.commandStep("work", { command: "true", arguments: [] })'),
  );
  try {
    if (Bun.which("wrk") === null) {
      console.log("wrk is missing, so GET, POST and MCP are not measured; install it: apt-get install wrk");
      process.exitCode = 1;
    } else await routes(directory, project);
    await followers(directory, project);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
