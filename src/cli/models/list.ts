import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { modelsOf } from "./model-files.ts";
import { fileStates } from "./states.ts";

export const spec = {
  description: "The model assets, who can play them, and whether their files are in the model cache.",
  examples: [{ command: "lightflow models list", does: "each model with its licence and its files" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const rows = await fileStates(io, [], false);
  const models = modelsOf(io, []).map(({ id, title, licence, files }) => {
    const own = rows.filter(({ model }) => model === id);
    const present = own.filter(({ state }) => state === "installed").length;
    const state = files.length === 0 ? "no files" : present === files.length ? "installed" : "incomplete";
    return { id, title, licence, state, files: own };
  });
  io.print({ models }, (paint) =>
    models.length === 0
      ? "the project has no models\n"
      : tableText([
          ["id", "title", "licence", "state"].map((head) => paint.dim(head)),
          ...models.map(({ id, title, licence, state }) => [id, title, licence ?? "", state]),
        ]),
  );
  return EXIT.ok;
};
