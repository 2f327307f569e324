import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readBytesFile, readTextFile } from "./read-file.ts";

test("a file is read, and what cannot be read says why, once", () => {
  const folder = mkdtempSync(join(tmpdir(), "read-file-"));
  try {
    const path = join(folder, "a");
    writeFileSync(path, "text");
    expect(readTextFile(path)).toBe("text");
    expect(readBytesFile(path).toString()).toBe("text");
    const missing = join(folder, "b");
    expect(() => readTextFile(missing)).toThrow(new RegExp(`^there is no file ${missing}$`));
    expect(() => readTextFile(join(path, "c"))).toThrow("there is no file");
    expect(() => readBytesFile(folder)).toThrow(new RegExp(`^${folder} is a directory, not a file$`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
