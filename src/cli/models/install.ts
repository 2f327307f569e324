import { EXIT } from "../exit.ts";
import type { Io } from "../io.ts";
import { exitOf } from "../serve-role.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { terminalText } from "../terminal-text.ts";
import { fetchFile } from "./fetch-file.ts";
import { modelFilePath, modelsOf, originOf, readLock, stateOf, writeLock } from "./model-files.ts";

export const spec = {
  description:
    "Fetches the files of model assets into the model cache of this user, goes on where an earlier call was interrupted, compares each with its SHA-256, and notes them in lightflow/models.lock.json.",
  positionals: [
    {
      name: "models",
      label: "model asset id",
      ids: "model",
      about: "all of the project by default",
      rest: true,
      optional: true,
    },
  ],
  examples: [
    { command: "lightflow models install", does: "everything that the project needs" },
    { command: "lightflow models install llm.local", does: "one model" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const stop = io.stop();
  const lock = await readLock(io);
  const files: { model: string; name: string; path: string; state: "fetched" | "present"; size: number }[] =
    [];
  for (const model of modelsOf(io, positionals.models)) {
    const locked = [];
    for (const file of model.files) {
      const path = modelFilePath(io, model.id, file);
      const isThere = (await stateOf(path, file, true)) === "installed";
      const shown = `${model.id}/${file.name}`;
      const size = isThere
        ? Bun.file(path).size
        : await fetchFile(originOf(io, file), path, file, bar(io, shown), stop);
      files.push({ model: model.id, name: file.name, path, state: isThere ? "present" : "fetched", size });
      locked.push({ name: file.name, sha256: file.sha256, size });
    }
    if (locked.length === 0) delete lock.models[model.id];
    else lock.models[model.id] = { source: model.source, files: locked };
    // After each model: what is there is noted, whatever happens to the next.
    writeLock(io, lock);
    if (stop.aborted) return exitOf(stop);
  }
  io.print({ files }, (paint) =>
    files.length === 0
      ? "no model of this project names files"
      : files.map(({ model, name, state }) => `${paint.green("✓")} ${model}/${name} ${state}`).join("\n"),
  );
  return EXIT.ok;
};

const MIB = 1024 * 1024;

/** A line that is written over on a terminal, and one a second elsewhere would only fill logs: there it is silent. */
function bar(io: Io, name: string): (done: number, total: number | null) => void {
  let last = 0;
  return (done, total) => {
    const now = performance.now();
    const isEnd = done === total;
    if (!io.stderr.isTerminal || (now - last < 100 && !isEnd)) return;
    last = now;
    const share =
      total === null ? "" : ` of ${(total / MIB).toFixed(1)} (${Math.floor((100 * done) / total)} %)`;
    io.stderr.control(
      `\r${terminalText(name)} ${(done / MIB).toFixed(1)}${share} MiB\x1b[K${isEnd ? "\n" : ""}`,
    );
  };
}
