// The attribute makes each import the file's text, embedded in the executable; the type checker reads a module.
// @ts-expect-error
import preload from "./preload/lightflow.ts" with { type: "text" };
// @ts-expect-error
import hello from "./templates/hello.ts" with { type: "text" };
// @ts-expect-error
import selfCheck from "./workflows/self_check.ts" with { type: "text" };

/** An asset that the executable carries, as text. It is read like a project's, and never run. */
export interface BuiltinAsset {
  readonly kind: "model" | "node" | "composition" | "workflow";
  /** File name. */
  readonly name: string;
  readonly text: string;
}

export const BUILTIN_ASSETS: readonly BuiltinAsset[] = [
  { kind: "workflow", name: "self_check.ts", text: selfCheck },
];

/** A file that the executable writes into a project. */
export interface ProjectFile {
  /** Relative to the project's root. */
  readonly path: string;
  readonly text: string;
}

/** The types that assets are written against: `lightflow types` writes them. */
export const PRELOAD: ProjectFile = { path: "lightflow/preload/lightflow.ts", text: preload };

/** The files of a new project: one working workflow and the types it is written against. */
export const STARTER_FILES: readonly ProjectFile[] = [
  PRELOAD,
  { path: "lightflow/workflows/hello.ts", text: hello },
];
