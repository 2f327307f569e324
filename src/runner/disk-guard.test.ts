import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { usedBy } from "./disk-guard.ts";

test("so many files that they cannot be counted in time are not taken for none", async () => {
  const directory = mkdtempSync(join(tmpdir(), "guard-"));
  try {
    writeFileSync(join(directory, "a"), new Uint8Array(1_000_000));
    const { bytes, files } = await usedBy([directory, join(directory, "not there")]);
    expect(files).toBe(2);
    expect(bytes).toBeGreaterThanOrEqual(1_000_000);
    expect(bytes).toBeLessThan(2_000_000);
    expect(await usedBy(["/usr", "/proc"], 1)).toEqual({ bytes: Infinity, files: Infinity });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
