import { connectToOrchestrator } from "../../host/index.ts";
import { loadDocument } from "../../workflow/index.ts";
import { readJsonArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { FILE, MODE, readDocumentFile } from "./read-file.ts";

export const spec = {
  description:
    "Starts a run of a document on the running `lightflow up`; it goes on by itself, waits for events and answers, and is kept.",
  positionals: [FILE],
  flags: {
    input: { type: "string", value: "JSON|@FILE|-", about: "the workflow's input; {} when left out" },
    id: { type: "string", value: "RUN_ID", about: "name of the run; made up when left out" },
    idempotent: {
      type: "boolean",
      about: "when the same --id was started with the same content, answer with that run",
    },
    mode: MODE,
  },
  examples: [
    {
      command: `lightflow workflow start order.yaml --input '{"order":7}' --id order-7`,
      does: "a run that `lightflow run watch order-7` follows",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { text, name } = await readDocumentFile(positionals.file, io);
  const { document } = loadDocument(text, { name, mode: flags.mode });
  const input = flags.input === undefined ? {} : await readJsonArgument(flags.input, "--input", io);
  const client = await connectToOrchestrator(io.paths);
  try {
    const started = await client.call("startWorkflow", {
      document,
      mode: flags.mode,
      input,
      idempotent: flags.idempotent,
      ...(flags.id === undefined ? {} : { run_id: flags.id }),
    });
    io.print(started, () => `${started.run_id}\n\nwatch it: lightflow run watch ${started.run_id}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
