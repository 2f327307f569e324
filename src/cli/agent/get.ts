import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { valueText } from "../value-text.ts";

export const spec = {
  description:
    "One published agent as it was published, and what a model is told of it: its instructions with the texts of its skills, and the request that a native call begins with. A task adds its prompt and its input.",
  positionals: [
    { name: "agent", label: "agent", ids: "agent", about: "NAME, or NAME:VERSION for one version" },
  ],
  examples: [{ command: "lightflow agent get triage", does: "its highest version, with its digest" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const found = await client.call("getAgent", { agent: positionals.agent });
    io.print(found, (paint) =>
      [
        `${paint.bold(`${found.name}:${found.version}`)} ${found.digest}, ${found.published_at} by ${found.published_by}`,
        valueText(found.agent, paint),
        paint.dim(found.request === null ? "what a model is told of it:" : "what a native call sends first:"),
        found.request === null ? found.instructions : valueText(found.request, paint),
        "",
      ].join("\n"),
    );
    return 0;
  } finally {
    await client.close();
  }
};
