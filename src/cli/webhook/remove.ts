import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  positionals: [{ name: "id", label: "webhook id", ids: "webhook" }],
  examples: [{ command: "lightflow webhook remove p0kDhqR1bUxK", does: "what was not delivered is dropped" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const removed = await client.call("removeWebhook", { webhook_id: positionals.id });
    io.print(removed, () => `webhook ${removed.id} is gone\n`);
    return 0;
  } finally {
    await client.close();
  }
};
