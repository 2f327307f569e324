import type { Io } from "../io.ts";
import { tableText } from "../table-text.ts";
import { type FileState, modelFilePath, modelsOf, readLock, stateOf } from "./model-files.ts";

export interface FileRow {
  readonly model: string;
  readonly name: string;
  readonly state: FileState;
  /** Whether the lock file says the same as the asset. */
  readonly locked: boolean;
  readonly path: string;
}

/** The state of each file of the models named. */
export async function fileStates(io: Io, ids: readonly string[], verify: boolean): Promise<FileRow[]> {
  const lock = await readLock(io);
  const rows: FileRow[] = [];
  for (const model of modelsOf(io, ids)) {
    for (const file of model.files) {
      const path = modelFilePath(io, model.id, file);
      const entry = lock.models[model.id]?.files.find(({ name }) => name === file.name);
      const state = await stateOf(path, file, verify);
      rows.push({ model: model.id, name: file.name, state, locked: entry?.sha256 === file.sha256, path });
    }
  }
  return rows;
}

export function printStates(io: Io, rows: readonly FileRow[], more: object): void {
  io.print({ ...more, files: rows }, (paint) =>
    rows.length === 0
      ? "no model of this project names files"
      : tableText(
          rows.map(({ model, name, state, locked }) => [
            state === "installed" ? paint.green("✓") : paint.red("✗"),
            `${model}/${name}`,
            state,
            locked ? "" : paint.dim("not in the lock file"),
          ]),
        ),
  );
}
