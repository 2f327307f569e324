import { connectToOrchestrator } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { APPROVAL } from "./approval-id.ts";

interface Decision {
  readonly operation: "approveApproval" | "rejectApproval";
  readonly word: string;
  readonly description: string;
  readonly does: string;
}

/** `approvals approve` and `approvals reject`, which differ in what they say alone. */
export function decideCommand({ operation, word, description, does }: Decision) {
  const spec = {
    description,
    positionals: [APPROVAL],
    flags: { note: { type: "string", value: "TEXT", about: "why, for the audit" } },
    examples: [{ command: `lightflow approvals ${word} 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11`, does }],
  } as const satisfies CommandSpec;

  const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
    const client = await connectToOrchestrator(io.paths);
    try {
      const answer = await client.call(operation, {
        approval_id: positionals.approval,
        ...(flags.note === undefined ? {} : { note: flags.note }),
      });
      io.print(answer, () => `${answer.approval_id} is ${answer.state}\n`);
      return 0;
    } finally {
      await client.close();
    }
  };
  return { spec, run };
}
