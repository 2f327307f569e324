import type { CommandSpec, Run } from "../spec.ts";
import { readPublished } from "./published.ts";

export const spec = {
  description: "Writes a published document as YAML, or with `--json` with its digest as JSON.",
  positionals: [
    {
      name: "workflow",
      label: "workflow",
      ids: "publication",
      about: "NAMESPACE/NAME, the highest version, or …@VERSION",
    },
  ],
  examples: [
    { command: "lightflow workflow get acme/release", does: "the highest version" },
    { command: "lightflow workflow get acme/release@1.2.0", does: "that version" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const published = await readPublished(positionals.workflow, io);
  const { stringify } = await import("yaml");
  io.print(published, () => stringify(published.document, { lineWidth: 120 }));
  return 0;
};
