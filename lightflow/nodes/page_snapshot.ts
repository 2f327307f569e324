import { type AssetMeta, type CodeContext, node } from "../preload/lightflow.ts";

export const META = {
  id: "node.page_snapshot",
  title: "Page Snapshot",
  kind: "node",
  description:
    "Opens a page in the runner's browser and keeps its picture, its text as HTML and a printable file.",
  stability: "draft",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("url", { type: "string", required: true, description: "https://… or data:…" })
    .output("title", { type: "string", required: true })
    .output("status", { type: "integer", description: "of the server; 0 for an address without one" })
    .output("picture", { type: "artifact", required: true })
    .output("html", { type: "artifact", required: true })
    .output("pdf", { type: "artifact", required: true })
    .code({ browser: { timeoutMs: 20_000 }, network: true })
    .impure();
}

export async function run({ url }: { readonly url: string }, ctx: CodeContext) {
  // Whoever may start a run names the page, and none of the files that the task sees.
  if (!/^(?:https?:\/\/|data:)/i.test(url)) throw new Error("the url is neither https://… nor data:…");
  const page = await ctx.browser.open();
  const { status } = await page.goto(url);
  return {
    title: page.title,
    status: status ?? 0,
    picture: await ctx.keep("page.png", await page.screenshot({ fullPage: true })),
    html: await ctx.keep("page.html", await page.html()),
    pdf: await ctx.keep("page.pdf", await page.pdf()),
  };
}
