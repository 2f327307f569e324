import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A native addon that stands compressed in the executable. The system loads code from files alone: it gets one that has no
 * name any more before anything stands in it, so that nobody else reaches it, and a kill leaves nothing.
 */
export function loadAddon(packed: string): unknown {
  const bytes = Bun.gunzipSync(readFileSync(packed));
  const directory = mkdtempSync(join(tmpdir(), "lightflow-addon-"));
  let file: number;
  try {
    file = openSync(join(directory, "addon.node"), "wx+", 0o600);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  try {
    writeFileSync(file, bytes);
    const module: { exports: unknown } = { exports: {} };
    process.dlopen(module, `/proc/self/fd/${file}`);
    return module.exports;
  } finally {
    closeSync(file);
  }
}
