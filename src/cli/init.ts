import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fail, toFailure } from "../base/errors.ts";
import { type ProjectFile, STARTER_FILES } from "../builtins/index.ts";
import { checkProjectPlace } from "./project-place.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Writes a workflow and the types it is written against. Nothing that exists is overwritten, and when one file cannot be written none is left behind.",
  positionals: [
    {
      name: "dir",
      label: "directory",
      about: "the project; the working directory by default",
      optional: true,
    },
  ],
  examples: [
    { command: "lightflow init my-project", does: "make the directory and write the project into it" },
    { command: "lightflow init", does: "into the working directory" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  // `--root` names the project too; a directory argument is the plainer way to say it and wins.
  const target = resolve(io.cwd, positionals.dir ?? io.settings().root ?? ".");
  writeProject(target, STARTER_FILES);
  const shown = relative(io.cwd, target);
  const where =
    shown === "" ? "" : ` --root ${/^[\w./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", `'\\''`)}'`}`;
  const next = `lightflow run start workflow.hello${where} --watch`;
  const files = STARTER_FILES.map((file) => file.path);
  io.print({ root: target, files, next }, (paint) =>
    [...files.map((path) => `wrote ${join(shown, path)}`), "", `next: ${paint.bold(next)}`].join("\n"),
  );
  return 0;
};

/** Write every file or none. A new directory appears complete, by one rename. */
function writeProject(target: string, files: readonly ProjectFile[]): void {
  if (existsSync(target) && !statSync(target).isDirectory()) {
    throw fail("conflict", `${target} is not a directory`, { hint: "name another directory" });
  }
  checkProjectPlace(target);
  for (const file of files) {
    if (existsSync(join(target, file.path))) throw alreadyThere(join(target, file.path));
  }
  const isNew = !existsSync(target);
  const parent = isNew ? dirname(target) : target;
  let staging: string | undefined;
  const made: { path: string; directory: boolean }[] = [];
  try {
    if (isNew) mkdirSync(parent, { recursive: true });
    staging = mkdtempSync(join(parent, `.${basename(target)}-init-`));
    for (const file of files) {
      const path = join(staging, file.path);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, file.text, { flag: "wx" });
    }
    if (isNew) {
      renameSync(staging, target);
      return;
    }
    for (const file of files) {
      const path = join(target, file.path);
      makeDirectories(target, dirname(file.path), made);
      // A link fails where the name exists, so not even a file that appeared meanwhile is overwritten.
      linkSync(join(staging, file.path), path);
      made.push({ path, directory: false });
    }
  } catch (error) {
    for (const { path, directory } of made.reverse()) {
      try {
        if (directory) rmdirSync(path);
        else unlinkSync(path);
      } catch {
        // Somebody else put something there: theirs stays.
      }
    }
    const failure = toFailure(error);
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw alreadyThere(target);
    if (failure.code !== "io") throw failure;
    throw fail("io", `cannot write the project: ${failure.message}`, {
      hint: "name a directory that you may write to",
      cause: error,
    });
  } finally {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
  }
}

function makeDirectories(root: string, path: string, made: { path: string; directory: boolean }[]): void {
  let at = root;
  for (const part of path.split("/")) {
    at = join(at, part);
    if (existsSync(at)) continue;
    mkdirSync(at);
    made.push({ path: at, directory: true });
  }
}

function alreadyThere(path: string): Error {
  return fail("conflict", `${path} exists already`, {
    hint: "name another directory, or move the file away",
  });
}
