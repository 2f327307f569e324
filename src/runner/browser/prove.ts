import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { BROWSER_DEFAULTS, type BrowserStart } from "../../base/browser.ts";
import { Failure, fail, toFailure } from "../../base/errors.ts";
import { makePrivateDirectory } from "../../base/files.ts";
import { newId } from "../../base/ids.ts";
import { isObject } from "../../base/json.ts";
import { identityOf, rememberedDigest } from "../binary-digest.ts";
import type { EffectiveConfig } from "../config.ts";
import { taskEnvironment } from "../environment.ts";
import { ownExecutable } from "../lease/files.ts";
import type { SandboxProvider, SandboxRequest } from "../sandboxes/index.ts";

/** A browser that this host's sandbox ran, and what it is. */
export interface ProvenBrowser {
  /** The program itself, where the configuration names a script that starts it. */
  readonly executable: string;
  /** `sha256:…` of that program. */
  readonly digest: string;
  /** As it calls itself, such as `HeadlessChrome/128.0.6613.84`. */
  readonly version: string;
  /** The sandbox in which it was tried: tasks with a browser run in no other. */
  readonly provider: SandboxProvider["capability"]["provider"];
  /** Of the file, as it was when it was tried. */
  readonly identity: string;
}

/** A busy host takes long to start one: what it costs to wait is a late start, what it costs not to is the browser. */
const TRIAL_MS = 60_000;
const OUTPUT_BYTES = 64 * 1024;
const LAST_BYTES = 4 * 1024;

/**
 * Runs as the function of a task's node would. The page computes, is drawn, and asks for a server on the host's loopback,
 * which answers everyone but a sandbox. The program is known by its renderer: that is always the program itself.
 */
const SCRIPT = `import { readdirSync, readFileSync, readlinkSync } from "node:fs";
export async function run({ address, half }, ctx) {
  const page = await ctx.browser.open("data:text/html,<title>proof</title><p>" + half);
  const sum = await page.evaluate("2 * Number(document.querySelector('p').textContent)");
  const picture = Buffer.from(await page.screenshot()).subarray(0, 8).toString("hex");
  const { product } = await page.cdp("Browser.getVersion");
  const programs = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)).flatMap((pid) => {
    try {
      const isRenderer = readFileSync("/proc/" + pid + "/cmdline", "utf8").includes("--type=renderer");
      return isRenderer ? [readlinkSync("/proc/" + pid + "/exe")] : [];
    } catch { return []; }
  });
  let reached = null;
  try { await page.goto(address); reached = await page.text("body"); } catch {}
  return { sum, picture, product, program: programs[0] ?? null, reached };
}
`;

const PNG = "89504e470d0a1a0a";

/**
 * Start the configured browser in the sandbox that tasks get, beside two controls: a program that is no browser must fail
 * the very same trial, and the server that the page must not reach must answer this process.
 * @throws Failure `feature_unsupported` that says what failed and what to do
 */
export async function proveBrowser(
  config: EffectiveConfig,
  sandboxes: { readonly providers: readonly SandboxProvider[]; readonly remedy: string | null },
): Promise<ProvenBrowser> {
  const asked = config.browser?.executable;
  if (asked === undefined) throw fail("feature_unsupported", "the configuration names no browser");
  const provider = sandboxes.providers.find(({ capability: { boundary, provider, remote = false } }) => {
    return boundary !== "process" && provider !== "vm" && !remote;
  });
  if (provider === undefined) {
    throw fail("feature_unsupported", "a browser runs only in a sandbox with namespaces of its own", {
      hint: sandboxes.remedy ?? "install bubblewrap, and leave sandbox at auto",
    });
  }
  const directory = mkdtempSync(join(config.dataDirectory, "browser-"));
  const listener = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("reached") });
  try {
    const address = listener.url.href;
    const heard = await statusOf(address);
    const trial = (executable: string) => tryBrowser(provider, directory, executable, address);
    let executable = realpathSync(asked);
    const [first, control] = await Promise.all([
      trial(executable),
      trial("/bin/true").then(
        () => true,
        () => false,
      ),
    ]);
    if (control || heard !== 200) {
      throw fail("feature_unsupported", "the trial of the browser proves nothing: its control did not fail");
    }
    let seen = first;
    // A script that starts the program: what is approved, and started from now on, is the program.
    if (seen.program !== executable) {
      executable = realpathSync(seen.program);
      seen = await trial(executable);
    }
    const identity = identityOf(executable);
    const digest = await rememberedDigest(executable);
    return { executable, digest, version: seen.version, provider: provider.capability.provider, identity };
  } catch (error) {
    const failure = toFailure(error);
    throw new Failure("feature_unsupported", `the browser ${asked} cannot be used: ${failure.message}`, {
      hint: failure.hint ?? "see the message; a program outside /usr has to be below readOnlyPaths",
    });
  } finally {
    listener.stop(true);
    rmSync(directory, { recursive: true, force: true });
  }
}

async function tryBrowser(
  provider: SandboxProvider,
  directory: string,
  executable: string,
  address: string,
): Promise<{ readonly program: string; readonly version: string }> {
  const operationId = newId();
  const root = join(directory, operationId);
  const [work, source, output] = [join(root, "work"), join(root, "trial.ts"), join(root, "output.json")];
  for (const path of [root, work]) makePrivateDirectory(path);
  mkdirSync(join(root, "home"));
  writeFileSync(source, SCRIPT);
  const own = ownExecutable();
  const start: BrowserStart = { ...BROWSER_DEFAULTS, executable, verbose: true };
  const half = 1 + Math.floor(Math.random() * 1_000_000);
  const places = { directory: work, home: join(root, "home"), temporary: "/tmp", output, inputs: null };
  const request: SandboxRequest = {
    operationId,
    mode: "none",
    command: own.command,
    arguments: [...own.arguments, "code-child", source, JSON.stringify(start)],
    environment: taskEnvironment(operationId, places, {}),
    stdin: JSON.stringify({ address, half }),
    directory: work,
    writable: [root],
    mounts: own.paths.map((path) => ({ source: path, target: path, readOnly: true })),
    network: "deny-all",
    memoryBytes: undefined,
    processes: undefined,
  };
  provider.validate(request);
  await provider.prepare(request);
  const timer = setTimeout(() => void provider.kill(operationId).catch(() => {}), TRIAL_MS);
  try {
    const child = provider.execute(operationId);
    const [last, { exitCode }] = await Promise.all([
      lastOf(child.stderr),
      child.exited,
      child.stdout.pipeTo(new WritableStream()),
    ]);
    if (exitCode !== 0)
      throw fail("feature_unsupported", last.trim().split("\n").at(-1) || `exit code ${exitCode}`);
    return readTrial(output, half);
  } finally {
    clearTimeout(timer);
    await provider.kill(operationId);
    await provider.cleanup(operationId);
  }
}

function readTrial(output: string, half: number): { program: string; version: string } {
  const bytes = readFileSync(output);
  const seen = bytes.length > OUTPUT_BYTES ? null : (JSON.parse(bytes.toString("utf8")) as unknown);
  if (!isObject(seen)) throw fail("feature_unsupported", "the trial gave no answer");
  const { sum, picture, product, program, reached } = seen;
  if (sum !== 2 * half || picture !== PNG || typeof program !== "string" || typeof product !== "string")
    throw fail("feature_unsupported", "the page was not computed or not drawn");
  if (reached !== null)
    throw fail("feature_unsupported", "a page reached this host, although its network was closed");
  return { program, version: product };
}

/** Straight to the server: `fetch` would go to the proxy that the runner's environment may name. */
function statusOf(address: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(address, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on("error", reject);
  });
}

async function lastOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of stream) text = (text + decoder.decode(part, { stream: true })).slice(-LAST_BYTES);
  return text;
}
