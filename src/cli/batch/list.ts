import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [{ command: "lightflow batch list", does: "how far each batch is" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listBatches", {});
    io.print(answer, (paint) =>
      answer.batches.length === 0
        ? "there are no batches yet: lightflow batch run FILE\n"
        : tableText([
            ["batch", "jobs", "waiting", "running", "succeeded", "failed", "refused"].map((head) =>
              paint.dim(head),
            ),
            ...answer.batches.map((each) => [
              each.batch_id,
              ...[each.jobs, each.waiting, each.running, each.succeeded, each.failed, each.refused].map(
                String,
              ),
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
