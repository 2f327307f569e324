// The attribute makes each import the file's text, embedded in the executable; the type checker reads a module.
// @ts-expect-error
import preload from "./preload/lightflow.ts" with { type: "text" };
// @ts-expect-error
import hello from "./templates/hello.ts" with { type: "text" };

export { BUILTIN_ASSETS } from "./assets.ts";

/** A file that the executable writes into a project. */
export interface ProjectFile {
  /** Relative to the project's root. */
  readonly path: string;
  readonly text: string;
}

/** The types that assets are written against. */
export const PRELOAD: ProjectFile = { path: "lightflow/preload/lightflow.ts", text: preload };

/** What an editor needs to check assets without a network: nothing but the types above. */
const COMPILER_OPTIONS: ProjectFile = {
  path: "lightflow/tsconfig.json",
  text: `${JSON.stringify(
    {
      compilerOptions: {
        target: "ESNext",
        module: "Preserve",
        moduleResolution: "bundler",
        lib: ["ESNext"],
        types: [],
        strict: true,
        verbatimModuleSyntax: true,
        allowImportingTsExtensions: true,
        noEmit: true,
      },
    },
    null,
    2,
  )}\n`,
};

/** The files that `lightflow types` writes. */
export const TYPE_FILES: readonly ProjectFile[] = [PRELOAD, COMPILER_OPTIONS];

/** The files of a new project: one working workflow and the types it is written against. */
export const STARTER_FILES: readonly ProjectFile[] = [
  ...TYPE_FILES,
  { path: "lightflow/workflows/hello.ts", text: hello },
];
