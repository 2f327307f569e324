import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A project in a temporary directory, for tests: paths below `lightflow/` to what stands there. */
export class TestProject {
  readonly root = mkdtempSync(join(tmpdir(), "lightflow assets "));

  write(path: string, content: string | Uint8Array): string {
    const absolute = join(this.root, "lightflow", path);
    mkdirSync(dirname(absolute), { recursive: true });
    writeFileSync(absolute, content);
    return absolute;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** The text of an asset: `META` of a kind and an id, and what follows it. */
export function assetText(kind: string, id: string, rest = ""): string {
  const description = "An asset of a test.";
  return `export const META = { id: "${id}", title: "Title", kind: "${kind}", description: "${description}", stability: "draft" } as const;\n${rest}`;
}

/** A workflow whose `define()` returns this chain. */
export function workflowText(chain: string, before = "", id = "workflow.test"): string {
  return assetText(
    "workflow",
    id,
    `${before}\nexport function define() {\n  return workflow(META.id)${chain};\n}\n`,
  );
}
