import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [
    { command: "lightflow webhook list", does: "who is told, what waits, how the last delivery went" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listWebhooks", {});
    io.print(answer, (paint) =>
      answer.webhooks.length === 0
        ? "there are no webhooks\n"
        : tableText([
            ["id", "address", "events", "pending", "delivered", "last"].map((head) => paint.dim(head)),
            ...answer.webhooks.map((each) => [
              each.id,
              each.url,
              each.events.join(", "),
              String(each.pending),
              String(each.delivered),
              each.last?.outcome ?? "",
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
