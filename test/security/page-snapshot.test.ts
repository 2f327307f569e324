import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { runBinary, sandbox } from "../support/binary.ts";

const box = sandbox("page-snapshot");
afterAll(() => box.remove());
const NODE = join(import.meta.dir, "../../lightflow/nodes/page_snapshot.ts");

test("whoever starts a run that keeps a page names a page of the web, and no file that the task sees", async () => {
  const ended = async (url: string) => {
    const stdin = JSON.stringify({ url });
    return (await runBinary(["code-child", NODE], { env: box.env, cwd: box.path, stdin })).stderr;
  };
  for (const url of ["file:///etc/passwd", " file:///etc/passwd", "view-source:file:///etc/passwd", ""])
    expect(await ended(url)).toContain("neither https://… nor data:…");
  // These come as far as a browser, of which this child has none.
  for (const url of ["https://example.org/", "data:text/html,page"])
    expect(await ended(url)).toContain("the node has no browser");
});
