import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "agent", label: "agent", about: "NAME, or NAME:VERSION for one version" }],
  examples: [{ command: "lightflow agent get triage", does: "its highest version, with its digest" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const found = await client.call("getAgent", { agent: positionals.agent });
    io.print(
      found,
      (paint) =>
        `${paint.bold(`${found.name}:${found.version}`)} ${found.digest}, ${found.published_at} by ${found.published_by}\n${JSON.stringify(found.agent, null, 2)}\n`,
    );
    return 0;
  } finally {
    await client.close();
  }
};
