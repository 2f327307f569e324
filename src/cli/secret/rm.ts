import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { NAME } from "./set.ts";

export const spec = {
  positionals: [NAME],
  examples: [{ command: "lightflow secret rm registry", does: "calls that name it fail from now on" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("removeSecret", { name: positionals.name });
    io.print(answer, () => `${answer.name} ${answer.removed ? "removed" : "was not there"}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
