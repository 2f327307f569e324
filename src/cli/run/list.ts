import { connectToRead, hasStore } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { elapsed, statusOf } from "./report.ts";

export const spec = {
  flags: {
    limit: {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 1000,
      default: 50,
      about: "how many, newest first",
    },
    status: {
      type: "string",
      value: "STATUS",
      choices: ["planned", "running", "succeeded", "failed", "cancelled"],
      about: "only runs that stand so",
    },
    workflow: { type: "string", value: "ID", ids: "workflow", about: "only runs of this workflow" },
    before: {
      type: "string",
      value: "RUN_ID",
      ids: "run",
      about: "only runs older than this one: the next page",
    },
  },
  examples: [{ command: "lightflow run list --limit 10", does: "the last ten runs" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  if (!hasStore(io.paths)) {
    io.print({ runs: [] }, () => "there are no runs yet; start one: lightflow run start WORKFLOW\n");
    return 0;
  }
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("listRuns", flags);
    io.print(answer, (paint) =>
      answer.runs.length === 0
        ? "no such runs; start one: lightflow run start WORKFLOW\n"
        : tableText([
            ["run", "workflow", "status", "started", "time"].map((head) => paint.dim(head)),
            ...answer.runs.map((each) => [
              each.run_id,
              each.workflow_asset_id,
              statusOf(each),
              each.created_at,
              elapsed(each),
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
