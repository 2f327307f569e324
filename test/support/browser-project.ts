import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const head = (kind: string, id: string) =>
  `import { type AssetMeta, type CodeContext, ${kind} } from "../preload/lightflow.ts";
export const META = { id: "${kind}.${id}", title: "${id}", kind: "${kind}", description: "a page", stability: "stable" } as const satisfies AssetMeta;
`;

/** What a node with a browser does with what it is given; `page` is `ctx.browser.open()`. */
const ACTIONS = `
const file = (name: string, text: string) => { writeFileSync(name, text); return "file://" + process.cwd() + "/" + name; };
const doing: Record<string, (given: Given, ctx: CodeContext) => Promise<unknown>> = {
  async work({ base }, ctx) {
    const page = await ctx.browser.open();
    const { status } = await page.goto(base + "/form");
    await page.fill("#name", "Ada");
    await page.click("#greet");
    await page.waitFor("#later");
    const [greeting, nothing] = [await page.text("#greeting"), await page.text("#nothing")];
    const answer = await page.evaluate((a: number, b: number) => Promise.resolve({ sum: a + b }), 40, 2);
    await page.click("#dialog");
    await page.click("#popup");
    const got = await page.download(() => page.click("#small"));
    const kept = {
      shot: await ctx.keep("whole.png", await page.screenshot({ fullPage: true })),
      pdf: await ctx.keep("page.pdf", await page.pdf()),
      html: await ctx.keep("page.html", await page.html()),
      file: await ctx.keep("data.bin", { path: got.path }),
    };
    const forged = await page.evaluate("Promise.reject(new Error('Chrome process closed the pipe'))").catch((error) => error.code ?? "the page's own");
    const missing = await page.goto(base + "/missing");
    return { status, greeting, nothing, answer, said: page.title, got: { ...got, path: "" }, kept, missing: missing.status, forged };
  },
  async never({ base }, ctx) { await ctx.browser.open(base + "/never", { timeoutMs: 2_000 }); },
  async loop(_, ctx) {
    const other = await ctx.browser.open();
    const page = await ctx.browser.open("about:blank", { timeoutMs: 4_000 });
    const first = await page.evaluate("(() => { for (;;); })()").catch((error) => error.code);
    // A page that hangs costs that page: the browser goes on.
    await other.goto("data:text/html,<title>still here</title>");
    return { first, title: other.title };
  },
  async crash({ base }, ctx) {
    const page = await ctx.browser.open(base + "/form");
    await page.cdp("Page.crash");
  },
  async killed({ base }, ctx) {
    const page = await ctx.browser.open(base + "/form");
    const waiting = page.evaluate("new Promise(() => {})");
    for (const pid of readdirSync("/proc").filter((name) => Number(name) > 0)) {
      const line = readFileSync("/proc/" + pid + "/cmdline", "utf8");
      if (line.includes("--remote-debugging-pipe") && !line.includes("code-child")) process.kill(Number(pid), "SIGKILL");
    }
    await waiting;
  },
  async big({ base }, ctx) {
    const page = await ctx.browser.open(base + "/form");
    await page.download(() => page.click("#big")).catch(() => {});
    // Whoever swallows the refusal does not go on with the file.
    await new Promise(() => setInterval(() => {}, 1_000));
  },
  async tabs(_, ctx) { for (;;) await ctx.browser.open("about:blank"); },
  async goto({ base }, ctx) { await ctx.browser.open(base); },
  async offline({ base }, ctx) {
    const page = await ctx.browser.open(file("local.html", "<title>from the workspace</title>"));
    const title = page.title;
    await page.goto("data:text/html,<title>data</title>");
    const second = page.title;
    const code = await page.goto(base).then(() => "reached", (error) => error.code);
    return { title, second, code };
  },
  async leak({ base, others }, ctx) {
    const page = await ctx.browser.open(base + "/form");
    const answers = await page.evaluate((addresses: string[]) => Promise.all(addresses.map(async (address) => {
      if (address.startsWith("ws")) return new Promise((done) => {
        const socket = new WebSocket(address);
        socket.onopen = () => done("reached");
        socket.onerror = () => done("refused");
      });
      if (address.startsWith("stun")) {
        const peer = new RTCPeerConnection({ iceServers: [{ urls: address }] });
        peer.createDataChannel("x");
        await peer.setLocalDescription(await peer.createOffer());
        await new Promise((done) => setTimeout(done, 300));
        return "asked";
      }
      return fetch(address, { mode: "no-cors" }).then(async (answer) => (answer.type === "opaque" ? "opaque" : answer.status), () => "refused");
    })), others);
    return { answers };
  },
};
type Given = { readonly what: string; readonly base: string; readonly others: string[] };
export async function run(given: Given, ctx: CodeContext) { return { seen: await doing[given.what]!(given, ctx) ?? null }; }
`;

const LIMITS = "browser: { pages: 2, downloadBytes: 300_000 }";

/** A project with one workflow for each network that a node with a browser may have. */
export function browserProject(root: string, policy?: string): void {
  const write = (path: string, text: string) => {
    mkdirSync(join(root, "lightflow", path, ".."), { recursive: true });
    writeFileSync(join(root, "lightflow", path), text);
  };
  write(
    "preload/lightflow.ts",
    readFileSync(join(import.meta.dir, "../../src/builtins/preload/lightflow.ts"), "utf8"),
  );
  const networks = { listed: 'network: ["127.0.0.1"], ', none: "", open: "network: true, " };
  for (const [name, network] of Object.entries(networks)) {
    write(
      `nodes/${name}.ts`,
      `import { readdirSync, readFileSync, writeFileSync } from "node:fs";
${head("node", name)}export function define() {
  return node(META.id)
    .input("what", { type: "string", required: true })
    .input("base", { type: "string", required: true })
    .input("others", { type: "json", required: true })
    .output("seen", { type: "json" })
    .code({ ${network}${LIMITS} });
}
${ACTIONS}`,
    );
    write(
      `workflows/${name}.ts`,
      `${head("workflow", name).replace("type CodeContext, ", "")}export function define() {
  return workflow(META.id)
    .input("what", { type: "string", required: true })
    .input("base", { type: "string", required: true })
    .input("others", { type: "json", default: [] })
    .step("visit", "node.${name}", { inputs: { what: "\${ .inputs.what }", base: "\${ .inputs.base }", others: "\${ .inputs.others }" } })
    .output({ seen: "\${ .steps.visit.output.seen }" });
}
`,
    );
  }
  if (policy !== undefined) write("policies/own.ts", policy);
}
