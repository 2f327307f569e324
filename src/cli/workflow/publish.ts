import { connectToOrchestrator } from "../../host/index.ts";
import { loadDocument } from "../../workflow/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { FILE, MODE, readDocumentFile } from "./read-file.ts";

export const spec = {
  description:
    "Gives a document its name on the running host, so that `run: workflow` of others finds it. A published version never changes; the same content again is answered with the first.",
  positionals: [FILE],
  flags: { mode: MODE },
  examples: [
    { command: "lightflow workflow publish register.yaml", does: "namespace, name, version and digest" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { text, name } = await readDocumentFile(positionals.file, io);
  const { document } = loadDocument(text, { name, mode: flags.mode });
  const client = await connectToOrchestrator(io.paths);
  try {
    const published = await client.call("publishWorkflow", { document, mode: flags.mode });
    io.print(
      published,
      () =>
        `${published.namespace}/${published.name} ${published.version} ${published.created ? "published" : "was published before"}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
