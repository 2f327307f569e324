import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  description:
    "References to artifacts, newest first: of runs, with step and attempt, and what was handed in. One that has expired stays in the list.",
  flags: {
    run: { type: "string", value: "RUN", ids: "run", about: "only of this run" },
    step: { type: "string", value: "STEP", about: "only of this step" },
    kind: {
      type: "string",
      value: "KIND",
      choices: ["artifact", "log", "reused", "upload"],
      about: "only of this kind",
    },
    limit: { type: "integer", value: "N", minimum: 1, maximum: 1000, default: 100, about: "at most so many" },
    cursor: { type: "string", value: "CURSOR", about: "go on where the page before ended" },
  },
  examples: [
    { command: "lightflow artifact list --run release-1 --kind log", does: "its whole logs, by digest" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listArtifactReferences", {
      limit: flags.limit,
      ...(flags.run === undefined ? {} : { run_id: flags.run }),
      ...(flags.step === undefined ? {} : { step_id: flags.step }),
      ...(flags.kind === undefined ? {} : { kind: flags.kind }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    io.print(answer, (paint) =>
      answer.artifacts.length === 0
        ? "there are no such artifacts\n"
        : tableText([
            ["created", "kind", "run", "step", "name", "bytes", "kept until", "sha256"].map((head) =>
              paint.dim(head),
            ),
            ...answer.artifacts.map((each) => [
              each.created_at,
              each.kind,
              each.run_id ?? "",
              each.step_id ?? "",
              each.name ?? "",
              String(each.size),
              each.expired_at !== null ? `expired ${each.expired_at}` : (each.expires_at ?? ""),
              each.sha256,
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
