import { connectToRecords } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "upload", label: "upload id", ids: "upload", about: "of `artifact quarantine`" }],
  examples: [{ command: "lightflow artifact discard UPLOAD", does: "removes its bytes now" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const gone = await client.call("discardQuarantine", { upload_id: positionals.upload });
    io.print(gone, () => `${gone.upload_id} is removed, ${gone.size} bytes\n`);
    return 0;
  } finally {
    await client.close();
  }
};
