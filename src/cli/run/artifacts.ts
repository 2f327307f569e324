import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { RUN_ID } from "./run-id.ts";

export const spec = {
  positionals: [RUN_ID],
  examples: [
    {
      command: "lightflow run artifacts release-1 --json | jq -r '.artifacts[0].path'",
      does: "where the first artifact is",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("getArtifacts", { run_id: positionals.run });
    io.print(answer, (paint) =>
      answer.artifacts.length === 0
        ? "the run handed nothing over\n"
        : tableText([
            ["name", "step", "bytes", "sha256", "path"].map((head) => paint.dim(head)),
            ...answer.artifacts.map((each) => [
              each.name,
              each.step_id,
              String(each.size),
              each.sha256,
              each.path ?? "",
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
