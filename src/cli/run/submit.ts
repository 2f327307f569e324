import { resolve } from "node:path";
import { readBytesFile } from "../../base/read-file.ts";
import type { Io } from "../io.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { callStore } from "./plan.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  description:
    "Commits the request of one planned step into CortexFS. The body goes byte for byte; without one the step's template is rendered from the stored inputs.",
  positionals: [
    RUN_ID,
    { name: "step", label: "step id", ids: "step" },
    {
      name: "body",
      label: "request body",
      about: "the text itself, `@file`, or `-` for stdin",
      optional: true,
    },
  ],
  examples: [
    { command: "lightflow run submit run-001 draft", does: "the request that the template makes" },
    { command: "lightflow run submit run-001 draft @request.json", does: "a request of your own" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const body = positionals.body === undefined ? {} : await readBody(positionals.body, io);
  return await callStore(io, (client) =>
    client.call("submitStep", { run_id: positionals.run, step_id: positionals.step, ...body }),
  );
};

async function readBody(text: string, io: Io): Promise<Record<string, string>> {
  if (text === "-") return { body: await io.readInput() };
  if (!text.startsWith("@")) return { body: text };
  return { body_base64: readBytesFile(resolve(io.cwd, text.slice(1))).toString("base64") };
}
