import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileDurable } from "../base/files.ts";
import { TYPE_FILES } from "../builtins/index.ts";
import { EXIT } from "./exit.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Writes the types that assets are written against, and a tsconfig.json, into the project: an editor then checks assets with no network and no packages. What this build wrote before is replaced.",
  examples: [{ command: "lightflow types", does: "write or renew lightflow/preload/lightflow.ts" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const root = io.root();
  const files = TYPE_FILES.map(({ path, text }) => {
    const target = join(root, path);
    const state = contentOf(target) === text ? "unchanged" : "written";
    if (state === "written") {
      mkdirSync(dirname(target), { recursive: true });
      writeFileDurable(target, text, 0o644);
    }
    return { path, state };
  });
  io.print({ root, files }, () => files.map(({ path, state }) => `${state} ${path}`).join("\n"));
  return EXIT.ok;
};

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
