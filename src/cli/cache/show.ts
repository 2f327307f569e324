import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  examples: [{ command: "lightflow cache show", does: "how many outputs are kept, and their bytes" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const shown = await client.call("showCache", {});
    io.print(shown, () => `${shown.entries} outputs, ${shown.bytes} bytes\n`);
    return 0;
  } finally {
    await client.close();
  }
};
