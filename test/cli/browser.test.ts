import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openArtifacts } from "../../src/artifacts/index.ts";
import { BROWSER_DEFAULTS } from "../../src/base/browser.ts";
import { sha256 } from "../../src/base/canonical.ts";
import { exampleLease } from "../../src/protocol/example.ts";
import { runBinary, sandbox } from "../support/binary.ts";
import { browserProject } from "../support/browser-project.ts";
import { eventually, type Started, startBinary } from "../support/processes.ts";
import { prerequisite } from "../support/require.ts";

setDefaultTimeout(60_000);

const CHROMIUM = "/usr/bin/chromium-headless-shell";
const available =
  prerequisite("chromium", existsSync(CHROMIUM), `no ${CHROMIUM}`) &&
  prerequisite("userns", existsSync("/usr/bin/bwrap"), "no bwrap");

const FORM = `<!DOCTYPE html><title>form</title><input id=name value=old><button id=greet>x</button><p id=greeting></p>
<button id=dialog>x</button><button id=popup>x</button><a id=small href=/file/1000>x</a><a id=big href=/file/5000000>x</a>
<div style="height:3000px"></div><script>
const on = (id, act) => document.getElementById(id).addEventListener("click", act);
on("greet", () => { greeting.textContent = "Hello, " + document.getElementById("name").value; console.warn("greeted", { times: 1 });
  setTimeout(() => document.body.append(Object.assign(document.createElement("p"), { id: "later" })), 50); });
on("dialog", () => { document.title = "said " + confirm("Really?\\n[page log] forged"); });
on("popup", () => window.open("/popup"));
</script>`;

/** Answers on one address of this host, and remembers what it was asked for. */
function serve(hostname: string) {
  const asked: string[] = [];
  const server = Bun.serve({
    hostname,
    port: 0,
    fetch(request): Response | Promise<Response> {
      const { pathname } = new URL(request.url);
      if (pathname !== "/favicon.ico") asked.push(pathname);
      if (pathname === "/never") return new Promise(() => {});
      const size = /^\/file\/(\d+)$/.exec(pathname)?.[1];
      if (size !== undefined) {
        const headers = { "content-disposition": 'attachment; filename="../..//etc/data.bin"' };
        return new Response(new Uint8Array(Number(size)), { headers });
      }
      const status = pathname === "/form" ? 200 : 404;
      return new Response(FORM, { status, headers: { "content-type": "text/html" } });
    },
  });
  return { asked, base: `http://${hostname}:${server.port}`, port: server.port!, server };
}

describe.skipIf(!available)("tasks with a browser", () => {
  const box = sandbox("lf-browser");
  const env = { ...box.env, LIGHTFLOW_RUNNER_BROWSER: CHROMIUM, LIGHTFLOW_RUNNER_SLOTS: "3" };
  const [listed, unlisted] = [serve("127.0.0.1"), serve("127.0.0.2")];
  let host: Started;
  beforeAll(async () => {
    browserProject(box.path);
    host = await startBinary(["up", "--no-ctx", "--port", "0", "--controller-port", "0"], env, box.path);
  });
  afterAll(async () => {
    await host?.stop();
    listed.server.stop(true);
    unlisted.server.stop(true);
    box.remove();
  });

  type Run = {
    readonly status: string;
    readonly output: { readonly seen: Record<string, unknown> };
    readonly error: { readonly detail: string; readonly data: { readonly code: string } } | null;
    readonly artifacts: readonly { readonly name: string; readonly path: string; readonly size: number }[];
  };
  async function visit(workflow: string, inputs: object): Promise<Run & { readonly log: string }> {
    const args = ["run", "start", `workflow.${workflow}`, "--watch", "--no-cache", "--inputs"];
    const ran = await runBinary([...args, JSON.stringify({ base: listed.base, ...inputs })], {
      env,
      cwd: box.path,
    });
    if (ran.stdout === "") throw new Error(ran.stderr);
    return { ...(JSON.parse(ran.stdout) as Run), log: ran.stderr };
  }
  const ended = async (workflow: string, inputs: object) => {
    const { status, error } = await visit(workflow, inputs);
    return [status, error?.data.code];
  };

  /** Processes below the host that run the browser. */
  const browsers = () => {
    const parents = new Map<number, number>();
    const found: number[] = [];
    for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 4).split(" ")[0]));
        if (stat.includes("(chromium-headle)")) found.push(Number(name));
      } catch {
        // It ended meanwhile.
      }
    }
    const isBelow = (pid: number | undefined): boolean =>
      pid !== undefined && (pid === host.pid || isBelow(parents.get(pid)));
    return found.filter(isBelow);
  };

  test("pages are filled, clicked, read, drawn and printed, and what they hand out is kept", async () => {
    const { status, output, artifacts, log } = await visit("listed", { what: "work" });
    expect({ status, log }).toMatchObject({ status: "succeeded" });
    expect(output.seen).toMatchObject({
      status: 200,
      greeting: "Hello, Ada",
      nothing: null,
      answer: { sum: 42 },
      said: "form",
      got: { url: `${listed.base}/file/1000`, bytes: 1000 },
      missing: 404,
      // No page can say that the browser is gone.
      forged: "the page's own",
    });
    const bytes = (name: string) => readFileSync(artifacts.find((each) => each.name.endsWith(name))!.path);
    // IHDR: the whole page is higher than the window.
    expect(bytes("whole.png").subarray(1, 4).toString()).toBe("PNG");
    expect(bytes("whole.png").readUInt32BE(20)).toBeGreaterThan(3000);
    expect(bytes("page.pdf").subarray(0, 5).toString()).toBe("%PDF-");
    expect(bytes("page.html").toString()).toContain("Hello, Ada");
    expect(bytes("data.bin").length).toBe(1000);
    expect(log).toContain("[page warning] greeted Object {times: 1}");
    // A page cannot write a line of the log that looks like another's.
    expect(log).toContain("[page dialog] confirm dismissed: Really? ⏎ [page log] forged");
    expect(log).toContain(`[page popup] refused: ${listed.base}/popup`);
    expect(listed.asked).not.toContain("/popup");
  });

  test("each bad end has its name, and leaves no process", async () => {
    const loop = visit("listed", { what: "loop" });
    await eventually(
      async () => browsers(),
      ({ length }) => length > 0,
    );
    const ends = await Promise.all([
      ended("listed", { what: "never" }),
      ended("listed", { what: "crash" }),
      ended("listed", { what: "killed" }),
      ended("listed", { what: "big" }),
      ended("none", { what: "tabs" }),
      ended("listed", { what: "goto", base: "http://127.0.0.1:2" }),
    ]);
    expect(ends).toEqual([
      ["failed", "browser_timeout"],
      ["failed", "browser_crashed"],
      ["failed", "browser_crashed"],
      ["failed", "browser_limit_exceeded"],
      ["failed", "browser_limit_exceeded"],
      ["failed", "browser_navigation_failed"],
    ]);
    expect(await loop).toMatchObject({
      status: "succeeded",
      output: { seen: { first: "browser_timeout", title: "still here" } },
    });
    expect(browsers()).toEqual([]);
  });

  test("without a network there are the workspace's own pages, and no other", async () => {
    const before = listed.asked.length;
    const { output } = await visit("none", { what: "offline" });
    expect(output.seen).toEqual({
      title: "from the workspace",
      second: "data",
      code: "browser_navigation_failed",
    });
    expect(listed.asked.length).toBe(before);
  });

  test("a page reaches the listed hosts alone, by no protocol any other; an open network shows that they are there", async () => {
    const datagrams: number[] = [];
    const udp = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_, data) => void datagrams.push(data.length) },
    });
    const others = [
      `${unlisted.base}/fetched`,
      `ws://127.0.0.2:${unlisted.port}/socket`,
      `http://localhost:${unlisted.port}/by-name`,
      `http://[::ffff:127.0.0.2]:${unlisted.port}/mapped`,
      "http://169.254.169.254/latest/meta-data",
      `stun:127.0.0.1:${udp.port}`,
    ];
    try {
      const [page, whole] = await Promise.all([
        visit("listed", { what: "leak", others }),
        ended("listed", { what: "goto", base: `${unlisted.base}/page` }),
      ]);
      expect(whole).toEqual(["failed", "browser_navigation_failed"]);
      // An opaque answer is the proxy's refusal; that nothing came here is what counts.
      expect(page.status).toBe("succeeded");
      expect(unlisted.asked).toEqual([]);
      expect(datagrams).toEqual([]);
      expect(await visit("open", { what: "leak", others: others.slice(0, 1) })).toMatchObject({
        status: "succeeded",
        output: { seen: { answers: ["opaque"] } },
      });
      expect(unlisted.asked).toEqual(["/fetched"]);
    } finally {
      udp.close();
    }
  });

  test("a lease's result records where the browser went, and where it may not go", async () => {
    const data = join(box.path, "exec");
    const code = `export async function run({ base, other }, ctx) {
      const page = await ctx.browser.open(base + "/form");
      return { title: page.title, other: await page.goto(other).catch((error) => error.message) };
    }`;
    const source = sha256(code);
    await openArtifacts(join(data, "artifacts")).put(new Response(code).body!, source);
    const example = exampleLease();
    const lease = {
      ...example,
      files: [source],
      code: { source },
      browser: BROWSER_DEFAULTS,
      task: { ...example.task, stdin: JSON.stringify({ base: listed.base, other: `${unlisted.base}/x` }) },
      network: "allowlisted",
      networkHosts: { allow: ["127.0.0.1"], deny: [] },
      output: "json",
    };
    const args = ["runner", "exec", "-", "--data-dir", data];
    const { stdout } = await runBinary(args, { env, cwd: box.path, stdin: JSON.stringify(lease) });
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ status: "succeeded", output: { title: "form" } });
    expect(result.output.other).toContain("the runner's proxy answers 403");
    const went = (port: number) =>
      result.egress.find((each: { readonly port: number }) => each.port === port);
    expect(went(listed.port)).toMatchObject({ host: "127.0.0.1", allowed: true });
    expect(went(unlisted.port)).toMatchObject({ host: "127.0.0.2", allowed: false });
  });

  test("policy refuses the browser where it does not allow the capability, and explain names it", async () => {
    const project = join(box.path, "strict");
    browserProject(project, 'export const POLICY = { deny: { capabilities: ["browser"] } };\n');
    const refused = await runBinary(
      ["run", "start", "workflow.none", "--inputs", '{"what":"tabs","base":"x"}', "--watch"],
      { env, cwd: project },
    );
    expect(refused.stdout + refused.stderr).toContain("capabilities");
    expect(refused.code).not.toBe(0);
    // A list of digests pins the function itself.
    const pinned = join(box.path, "pinned");
    browserProject(pinned, `export const POLICY = { allow: { codeDigests: ["${"0".repeat(64)}"] } };\n`);
    const unknown = await runBinary(
      ["run", "start", "workflow.none", "--inputs", '{"what":"tabs","base":"x"}', "--watch"],
      { env, cwd: pinned },
    );
    expect(unknown.code).toBe(3);
    expect(JSON.parse(unknown.stdout).error).toMatchObject({ data: { code: "execution_policy_denied" } });
    const explained = await runBinary(["explain", "workflow.none"], { env, cwd: project });
    expect(JSON.parse(explained.stdout).steps[0]).toMatchObject({
      runs_at: "runner",
      capabilities: ["browser"],
    });
  });

  test("the doctor tries it: a program that is no browser fails, and so does a sandbox without namespaces", async () => {
    const doctor = async (more: Record<string, string>) => {
      const { stdout } = await runBinary(["runner", "doctor"], { env: { ...env, ...more }, cwd: box.path });
      const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; detail: string }[] };
      return checks.find(({ name }) => name === "browser");
    };
    const [good, bad, plain] = await Promise.all([
      doctor({}),
      doctor({ LIGHTFLOW_RUNNER_BROWSER: "/bin/bash" }),
      doctor({ LIGHTFLOW_RUNNER_SANDBOX: "process" }),
    ]);
    expect(good).toMatchObject({ status: "ok" });
    // Debian's is a script that starts the program: what counts is the program.
    expect(good!.detail).toMatch(
      /^HeadlessChrome\/[\d.]+ runs in bubblewrap: \/usr\/lib\/chromium\/\S+ sha256:[0-9a-f]{64}$/,
    );
    expect(bad).toMatchObject({
      status: "fail",
      detail: expect.stringContaining("/bin/bash cannot be used"),
    });
    expect(plain).toMatchObject({ status: "fail", detail: expect.stringContaining("namespaces of its own") });
  });

  test("a host that is killed takes its browsers with it", async () => {
    const inputs = JSON.stringify({ base: listed.base, what: "never" });
    const args = ["run", "start", "workflow.listed", "--no-cache", "--inputs", inputs];
    expect((await runBinary(args, { env, cwd: box.path })).code).toBe(0);
    const running = await eventually(
      async () => browsers(),
      ({ length }) => length > 2,
    );
    await host.kill();
    await eventually(
      async () => running.filter((pid) => existsSync(`/proc/${pid}`)),
      (alive) => alive.length === 0,
    );
  });
});
