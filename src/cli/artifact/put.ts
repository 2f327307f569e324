import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "file", label: "file", about: "- for stdin" }],
  examples: [
    { command: "lightflow artifact put photo.png | jq -r .sha256", does: "a digest for an artifact port" },
    { command: "tar c src | lightflow artifact put -", does: "what another command writes" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const { path, remove } =
    positionals.file === "-" ? await spooled() : { path: resolve(io.cwd, positionals.file), remove() {} };
  try {
    const client = await connectToRecords(io.paths, io.log(), io.root());
    try {
      const stored = await client.call("putArtifact", { path });
      io.print(stored, () => `sha256:${stored.sha256}\n`);
      return 0;
    } finally {
      await client.close();
    }
  } finally {
    remove();
  }
};

/** Stdin as a file, since whoever stores it may be another process, and it may be larger than memory. */
async function spooled(): Promise<{ path: string; remove(): void }> {
  if (process.stdin.isTTY) {
    throw fail("usage", "nothing is piped into stdin", { hint: "pipe something in, or name a file" });
  }
  const directory = mkdtempSync(join(tmpdir(), "lightflow-put-"));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const path = join(directory, "stdin");
  try {
    await Bun.write(path, new Response(Bun.stdin.stream()));
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}
