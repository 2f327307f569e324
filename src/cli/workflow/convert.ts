import { loadDocument } from "../../workflow/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { FILE, MODE, readDocumentFile } from "./read-file.ts";

export const spec = {
  description:
    "Writes a document in the other notation, with its keys in the order they had. Comments of YAML are not data and stay behind.",
  positionals: [FILE],
  flags: {
    to: {
      type: "string",
      value: "FORMAT",
      choices: ["json", "yaml"],
      about: "by default the notation that the text is not in",
    },
    mode: MODE,
  },
  examples: [{ command: "lightflow workflow convert release.yaml > release.json", does: "YAML as JSON" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { text, name } = await readDocumentFile(positionals.file, io);
  const { document } = loadDocument(text, { name, mode: flags.mode });
  const isJson = name.endsWith(".json") || (!/\.ya?ml$/.test(name) && /^\s*\{/.test(text));
  if ((flags.to ?? (isJson ? "yaml" : "json")) === "json") {
    io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return 0;
  }
  const { stringify } = await import("yaml");
  io.stdout.write(stringify(document, { lineWidth: 120 }));
  return 0;
};
