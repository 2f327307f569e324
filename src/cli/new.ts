import { existsSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { checkProject, discoverAssets, isAssetId } from "../assets/index.ts";
import { fail } from "../base/errors.ts";
import { writeFileDurable } from "../base/files.ts";
import { randomToken } from "../base/ids.ts";
import { PRELOAD } from "../builtins/index.ts";
import { scaffold } from "../builtins/scaffold.ts";
import { EXIT } from "./exit.ts";
import { checkProjectPlace } from "./project-place.ts";
import type { CommandSpec, Run } from "./spec.ts";

const FOLDERS = {
  workflow: "workflows",
  node: "nodes",
  composition: "compositions",
  model: "models",
} as const;

export const spec = {
  description:
    "Writes a small asset that passes lightflow check, to be changed. An existing file or id is never taken.",
  positionals: [
    {
      name: "kind",
      label: "kind",
      about: "what it is",
      choices: ["workflow", "node", "composition", "model"],
    },
    { name: "id", label: "asset id", about: "such as node.summarise; the file is named after it" },
  ],
  examples: [
    { command: "lightflow new workflow workflow.plan", does: "write lightflow/workflows/plan.ts" },
    { command: "lightflow new model llm.writer", does: "write lightflow/models/llm_writer.ts" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const { kind, id } = positionals;
  if (!isAssetId(id)) {
    throw fail("usage", `${JSON.stringify(id)} is not an asset id`, {
      hint: `letters, digits, _ and - in parts joined by dots: ${kind === "model" ? "llm" : kind}.first`,
    });
  }
  const root = io.root();
  checkProjectPlace(root);
  const taken = discoverAssets(root).assets.find(({ meta, builtin }) => meta.id === id && !builtin);
  if (taken !== undefined) {
    throw fail("conflict", `the id ${id} is taken by ${taken.source_path}`, { hint: "choose another id" });
  }
  const folder = join(root, "lightflow", FOLDERS[kind]);
  const path = join(folder, `${fileNameOf(kind, id)}.ts`);
  mkdirSync(folder, { recursive: true });
  writeNew(path, scaffold(kind, id, titleOf(id)));
  const preload = join(root, PRELOAD.path);
  if (!existsSync(preload)) {
    mkdirSync(join(preload, ".."), { recursive: true });
    writeNew(preload, PRELOAD.text);
  }
  const { diagnostics } = checkProject(root, path);
  const shown = relative(io.cwd, path);
  io.print({ path, id, kind, diagnostics }, (paint) =>
    [`wrote ${shown}`, "", `next: ${paint.bold(`lightflow check ${shown}`)}`].join("\n"),
  );
  return EXIT.ok;
};

/** A whole file appears under a name that nobody has, or none. */
function writeNew(path: string, text: string): void {
  const staged = `${path}.${randomToken(6)}.new`;
  writeFileDurable(staged, text, 0o644);
  try {
    linkSync(staged, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw fail("conflict", `${path} exists already`, { hint: "choose another id, or move the file away" });
  } finally {
    rmSync(staged, { force: true });
  }
}

/** `workflow.text_plan` is `text_plan`; what is not of the kind's own family keeps its whole id. */
function fileNameOf(kind: string, id: string): string {
  return (id.startsWith(`${kind}.`) ? id.slice(kind.length + 1) : id).replaceAll(".", "_");
}

/** `node.text_join` is "Text Join". */
function titleOf(id: string): string {
  const words = id.split(".").at(-1)!.split(/[_-]+/).filter(Boolean);
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
}
