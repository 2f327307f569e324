import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfinedFile } from "./filesystem-read.ts";

let base: string;
let root: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "cortexfs-read-"));
  root = join(base, "root");
  mkdirSync(join(root, "deep"), { recursive: true });
  writeFileSync(join(root, "deep/file"), "inside");
  writeFileSync(join(base, "secret"), "outside");
  for (const path of [base, root, join(root, "deep")]) chmodSync(path, 0o755);
});
afterEach(() => rmSync(base, { recursive: true }));

test("a file below the root is read, by relative or absolute path", async () => {
  expect(await readConfinedFile(root, "deep/../deep/file", 0)).toEqual({
    path: "deep/file",
    content: "inside",
  });
  expect(await readConfinedFile(root, join(root, "deep/file"), 0)).toMatchObject({ content: "inside" });
  await expect(readConfinedFile(root, "deep/none", 0)).rejects.toMatchObject({ code: "not_found" });
});

test("nothing outside is read or told of: dots, absolute paths, symlinks, a sibling with the same prefix", async () => {
  symlinkSync(join(base, "secret"), join(root, "link"));
  symlinkSync(base, join(root, "up"));
  mkdirSync(`${root}-other`);
  writeFileSync(join(`${root}-other`, "x"), "");
  for (const path of [
    "../secret",
    join(base, "secret"),
    "link",
    "up/secret",
    "../root-other/x",
    "/no/such/file",
    "",
    ".",
  ]) {
    await expect(readConfinedFile(root, path, 0)).rejects.toMatchObject({ code: "forbidden" });
  }
  await expect(readConfinedFile(root, "deep", 0)).rejects.toMatchObject({ code: "invalid_request" });
  await expect(readConfinedFile("", "x", 0)).rejects.toMatchObject({ code: "forbidden" });
});

test("a caller reads what its own rights allow, whatever the daemon may", async () => {
  const other = process.getuid!() + 1234;
  expect(await readConfinedFile(root, "deep/file", other)).toMatchObject({ content: "inside" });
  chmodSync(join(root, "deep/file"), 0o640);
  await expect(readConfinedFile(root, "deep/file", other)).rejects.toMatchObject({ code: "forbidden" });
  chmodSync(join(root, "deep/file"), 0o644);
  chmodSync(join(root, "deep"), 0o750);
  await expect(readConfinedFile(root, "deep/file", other)).rejects.toMatchObject({ code: "forbidden" });
});
