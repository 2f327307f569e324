import { fail, toFailure } from "../../base/errors.ts";
import { connectToRecords } from "../../host/index.ts";
import { EXIT } from "../exit.ts";
import { withLine } from "../file-place.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { valueText } from "../value-text.ts";
import { POLICY_FILE, parsePolicy, readPolicyText } from "./read-policy-file.ts";

export const spec = {
  description:
    "Says whether a file could be published, without publishing it. Of a profile it shows what it comes to.",
  positionals: [POLICY_FILE],
  flags: {
    as: {
      type: "string",
      value: "KIND",
      choices: ["policy", "profile", "template", "pool", "tenant"],
      default: "policy",
      about: "what the file is",
    },
  },
  examples: [
    {
      command: "lightflow policy check release.yaml --as profile",
      does: "exit code 2 when it cannot be published",
    },
  ],
  exits: { [EXIT.usage]: "the file cannot be published" },
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const { file } = positionals;
  const text = await readPolicyText(file, io);
  const document = await parsePolicy(text, file);
  const client = await connectToRecords(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("checkPolicy", { kind: flags.as, document });
    const said =
      answer.problem &&
      toFailure(await withLine(fail("invalid_request", answer.problem.message), text, file));
    io.print(answer, (paint) => {
      if (said !== null) return `${paint.red("✗")} ${said.message}\n`;
      const complete = answer.complete === null ? "" : valueText(answer.complete, paint);
      return `${paint.green("✓")} ${positionals.file} can be published\n${complete}`;
    });
    return answer.valid ? EXIT.ok : EXIT.usage;
  } finally {
    await client.close();
  }
};
