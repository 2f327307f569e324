import type { Json } from "../../base/json.ts";
import { diffDocuments, loadDocument } from "../../workflow/index.ts";
import { EXIT } from "../exit.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { readPublished, referenceOf } from "./published.ts";
import { FILE, MODE, readDocumentFile } from "./read-file.ts";

export const spec = {
  description:
    "Says where a document differs from another one: a second file, or what is published under its name. Tasks are compared by their names; the order of keys and comments count nothing.",
  positionals: [
    FILE,
    {
      name: "other",
      label: "other",
      about: "the newer one: a file or -; left out, the file is compared with what is published",
      optional: true,
    },
  ],
  flags: { mode: MODE },
  examples: [
    { command: "lightflow workflow diff release.yaml", does: "what publishing it would change" },
    { command: "lightflow workflow diff old.yaml new.yaml --json", does: "each difference with its pointer" },
  ],
  exits: { [EXIT.failed]: "they differ" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const load = async (file: string) => {
    const { text, name } = await readDocumentFile(file, io);
    return loadDocument(text, { name, mode: flags.mode }).document;
  };
  const given = await load(positionals.file);
  const [before, after] =
    positionals.other === undefined
      ? [(await readPublished(referenceOf(given), io)).document, given]
      : [given, await load(positionals.other)];
  const differences = diffDocuments(before as Json, after as unknown as Json);
  io.print({ differences }, (paint) =>
    differences.length === 0
      ? "no difference\n"
      : differences
          .map(({ pointer, change, before: old, after: now }) => {
            const sign = { added: "+", removed: "-", changed: "~", moved: "↕" }[change];
            const values = [old, now].filter((value) => value !== undefined);
            const text = `${sign} ${pointer} ${values.map((value) => JSON.stringify(value)).join(" → ")}`;
            return change === "added" ? paint.green(text) : change === "removed" ? paint.red(text) : text;
          })
          .join("\n"),
  );
  return differences.length === 0 ? EXIT.ok : EXIT.failed;
};
