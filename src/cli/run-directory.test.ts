import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { openRunDirectory } from "./run-directory.ts";

const parent = mkdtempSync(join(tmpdir(), "run directories "));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const PROGRAM = `
  import { openRunDirectory } from ${JSON.stringify(join(import.meta.dir, "run-directory.ts"))};
  const { path } = openRunDirectory(${JSON.stringify(parent)});
  Bun.gc(true);
  console.log(path);
  setInterval(() => {}, 1000);
`;

/** A process that has a directory, once it says so. */
async function holder(): Promise<{ child: Bun.Subprocess; path: string }> {
  const child = Bun.spawn([process.execPath, "-e", PROGRAM], { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  return { child, path: Buffer.from(value!).toString().trim() };
}

test("what a killed process leaves goes with the next run; what lives, what is new, and what is a link stays", async () => {
  const [dead, living] = [await holder(), await holder()];
  try {
    dead.child.kill("SIGKILL");
    await dead.child.exited;
    const elsewhere = join(parent, "elsewhere");
    mkdirSync(join(elsewhere, "kept"), { recursive: true });
    symlinkSync(elsewhere, join(parent, "lightflow-run-link"));
    // Its process was just about to lock it.
    mkdirSync(join(parent, "lightflow-run-new"));
    for (const path of [dead.path, living.path, elsewhere]) utimesSync(path, 1, 1);
    const own = openRunDirectory(parent);
    const names = [living.path, own.path, "elsewhere", "lightflow-run-link", "lightflow-run-new"];
    expect(readdirSync(parent).sort()).toEqual(names.map((path) => basename(path)).sort());
    expect(readdirSync(elsewhere)).toEqual(["kept"]);
    own.close();
    expect(readdirSync(parent)).not.toContain(basename(own.path));
  } finally {
    for (const { child } of [dead, living]) {
      child.kill("SIGKILL");
      await child.exited;
    }
  }
});
