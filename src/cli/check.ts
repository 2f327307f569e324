import { existsSync, readFileSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { type AssetDiagnostic, checkProject } from "../assets/index.ts";
import { fail } from "../base/errors.ts";
import { EXIT } from "./exit.ts";
import type { Paint } from "./paint.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Reads every model, node, composition, workflow, preset and policy of a project and says all that is wrong at once, with its place and what to do. Nothing of them is run.",
  positionals: [
    {
      name: "path",
      label: "file or directory",
      about: "only what stands there; the whole project by default",
      optional: true,
    },
  ],
  examples: [
    { command: "lightflow check", does: "the project in the working directory" },
    {
      command: "lightflow check lightflow/workflows/plan.ts --json",
      does: "the problems of one file as JSON",
    },
  ],
  exits: { [EXIT.usage]: "a file has an error" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const only = positionals.path === undefined ? undefined : resolve(io.cwd, positionals.path);
  if (only !== undefined && !existsSync(only)) {
    throw fail("not_found", `there is no ${positionals.path}`, {
      hint: "name a file or directory of the project",
    });
  }
  // A directory that is a project of its own is checked as one.
  const own = only !== undefined && isProject(only);
  const root = own ? only : io.root();
  if (!isProject(root)) {
    throw fail("not_found", `there is no project in ${root}: it has no directory lightflow/`, {
      hint: "go to one, name it with --root, or make one: lightflow init",
    });
  }
  const { files, diagnostics } = own ? checkProject(only) : checkProject(root, only);
  if (only !== undefined && files === 0) {
    throw fail("not_found", `no asset stands in ${positionals.path}`, {
      hint: DOCUMENT.test(only)
        ? `a document is checked by lightflow workflow check ${positionals.path}`
        : `assets are .ts files in ${root}/lightflow/`,
    });
  }
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  io.print({ ok: errors === 0, files, diagnostics }, (paint) =>
    [
      ...diagnostics.map((each) => shown(each, io.cwd, paint)),
      summary(files, errors, diagnostics.length - errors, paint),
    ].join("\n"),
  );
  return errors === 0 ? EXIT.ok : EXIT.usage;
};

const DOCUMENT = /\.(ya?ml|json)$/;

/** In a directory without a project `lightflow` may well be the executable. */
function isProject(directory: string): boolean {
  const path = resolve(directory, "lightflow");
  return existsSync(path) && statSync(path).isDirectory();
}

function summary(files: number, errors: number, warnings: number, paint: Paint): string {
  const of = (count: number, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const said = warnings === 0 ? "" : `, ${of(warnings, "warning")}`;
  return errors === 0
    ? `${paint.green("✓")} ${of(files, "file")}, no errors${said}`
    : `${paint.red("✗")} ${of(files, "file")}, ${of(errors, "error")}${said}`;
}

/** Longer lines, such as those of generated files, would hide the rest. */
const WIDTH = 160;

/** The problem with the line it stands in. */
function shown(problem: AssetDiagnostic, cwd: string, paint: Paint): string {
  const { path, line, column, severity, code, message, hint } = problem;
  const near = relative(cwd, path);
  const name = path.startsWith("builtin:") || near.startsWith("..") ? path : near;
  const label = severity === "error" ? paint.red("error") : paint.yellow("warning");
  const head = `${paint.bold(`${name}:${line}:${column}`)} ${label} ${message} ${paint.dim(code)}`;
  return [head, ...frame(path, line, column, paint), `  ${paint.dim("hint:")} ${hint}`, ""].join("\n");
}

function frame(path: string, line: number, column: number, paint: Paint): string[] {
  let text: string | undefined;
  try {
    text = readFileSync(path, "utf8").split(/\r\n|[\n\r\u2028\u2029]/)[line - 1];
  } catch {
    return [];
  }
  if (text === undefined || text.trim() === "") return [];
  const plain = text.replaceAll("\t", " ");
  const start = Math.max(0, column - 1 - WIDTH / 2);
  const part = plain.slice(start, start + WIDTH);
  const number = String(line);
  const gutter = " ".repeat(number.length);
  return [
    `  ${paint.dim(`${number} |`)} ${part}`,
    `  ${paint.dim(`${gutter} |`)} ${" ".repeat(column - 1 - start)}${paint.red("^")}`,
  ];
}
