import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { duration } from "./report.ts";

export const spec = {
  positionals: [
    { name: "run", label: "run id", ids: "run" },
    { name: "other", label: "other run id", ids: "run" },
  ],
  examples: [
    { command: "lightflow run compare image-7 image-8", does: "inputs, outputs, times and artifacts" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const found = await client.call("compareRuns", { run_id: positionals.run, other: positionals.other });
    io.print(found, (paint) => {
      const show = (value: unknown) => (JSON.stringify(value) ?? "").slice(0, 60);
      const step = (side: (typeof found.steps)[number]["a"]) =>
        side === null ? "" : `${side.cached ? "cached" : side.status} ${duration(side.duration_ms)}`;
      return tableText([
        ["", found.a.run_id, found.b.run_id].map((head) => paint.dim(head)),
        ["status", found.a.status, found.b.status],
        ["time", duration(found.a.duration_ms), duration(found.b.duration_ms)],
        ...found.inputs.map((each) => [`input ${each.path}`, show(each.a), show(each.b)]),
        ...found.output.map((each) => [`output ${each.path}`, show(each.a), show(each.b)]),
        ...found.steps.map((each) => [`step ${each.step_id}`, step(each.a), step(each.b)]),
        ...found.artifacts.map((each) => [
          `artifact ${each.name}`,
          each.a?.slice(0, 12) ?? "",
          each.same ? "the same" : (each.b?.slice(0, 12) ?? ""),
        ]),
      ]);
    });
    return 0;
  } finally {
    await client.close();
  }
};
