import { copyFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Browser } from "./browser/browser.ts";

/** What a node's function gets beside its inputs; the types for authors stand in the preload. */
export interface CodeContext {
  file(artifact: string): string;
  keep(name: string, content: Uint8Array | string | { readonly path: string }): Promise<string>;
  readonly temporary: string;
  /** Of a node that asks for one. */
  readonly browser: Browser;
}

const ARTIFACT = /^sha256:([0-9a-f]{64})$/;
const NAME = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9][A-Za-z0-9._ /-]{0,255}$/;

/** Where the runner put the files of the task, and where it looks for what the task leaves. */
export function openContext(
  env: Readonly<Record<string, string | undefined>>,
  browser: Browser | null = null,
): CodeContext {
  const inputs = env["LIGHTFLOW_INPUTS"];
  const outputs = join(env["LIGHTFLOW_WORKSPACE"] ?? process.cwd(), "outputs");
  let temporary: string | undefined;
  return {
    file(artifact) {
      const digest = ARTIFACT.exec(String(artifact))?.[1];
      if (digest === undefined)
        throw new Error(`${JSON.stringify(artifact)} is not sha256: and 64 hex digits`);
      const path = join(inputs ?? "", digest);
      if (inputs === undefined || !existsSync(path)) {
        throw new Error(`the artifact ${artifact} did not come in: wire it to a port of type artifact`);
      }
      return path;
    },
    async keep(name, content) {
      if (!NAME.test(name)) throw new Error(`${JSON.stringify(name)} is not a plain relative file name`);
      const path = join(outputs, name);
      mkdirSync(dirname(path), { recursive: true });
      if (typeof content === "object" && "path" in content) copyFileSync(content.path, path);
      else writeFileSync(path, content);
      const hasher = new Bun.CryptoHasher("sha256");
      for await (const part of Bun.file(path).stream()) hasher.update(part);
      return `sha256:${hasher.digest("hex")}`;
    },
    get temporary() {
      temporary ??= mkdtempSync(join(tmpdir(), "node-"));
      return temporary;
    },
    get browser() {
      if (browser === null)
        throw new Error("the node has no browser: it asks for one by code({ browser: true })");
      return browser;
    },
  };
}
