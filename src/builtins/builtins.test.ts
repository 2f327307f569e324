import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { STARTER_FILES } from "./index.ts";
import { scaffold } from "./scaffold.ts";

function withProject(use: (root: string) => void): void {
  const root = mkdtempSync(join(tmpdir(), "lightflow starter "));
  try {
    for (const { path, text } of STARTER_FILES) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const check = (directory: string) =>
  Bun.spawnSync([process.execPath, "check"], { cwd: directory, stdout: "pipe", stderr: "pipe" });

test("a new project and every scaffold type-check by themselves, and a misspelt method is found", () => {
  withProject((root) => {
    const directory = join(root, "lightflow");
    for (const kind of ["node", "composition", "model", "workflow"] as const) {
      mkdirSync(join(directory, `${kind}s`), { recursive: true });
      writeFileSync(join(directory, `${kind}s/new.ts`), scaffold(kind, `${kind}.new`, "New"));
    }
    const first = check(directory);
    expect([first.exitCode, first.stdout.toString()]).toEqual([0, expect.any(String)]);
    const path = join(directory, "workflows/hello.ts");
    writeFileSync(path, readFileSync(path, "utf8").replace("commandStep", "comandStep"));
    const second = check(directory);
    expect(second.exitCode).not.toBe(0);
    expect(second.stdout.toString() + second.stderr.toString()).toContain("Did you mean 'commandStep'?");
  });
});
