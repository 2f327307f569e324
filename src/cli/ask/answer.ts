import type { Json } from "../../base/json.ts";
import { parseStrictJson } from "../../base/strict-json.ts";
import { connectToOrchestrator } from "../../host/index.ts";
import { readTextArgument } from "../inputs.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Answers what a workflow asks. The answer is JSON; a text that is no JSON is the answer itself. `lightflow inbox list` shows the questions.",
  positionals: [
    { name: "task", label: "task id", ids: "task", about: "of the question in the inbox" },
    { name: "answer", label: "answer", about: "JSON or text; @FILE or - for stdin" },
  ],
  examples: [
    {
      command: "lightflow ask answer 0197f0c2-5d6e-7a01-9c55-0d4a5a1f6b11 approve",
      does: "chooses an option",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals }, io) => {
  const text = await readTextArgument(positionals.answer, io);
  const client = await connectToOrchestrator(io.paths);
  try {
    const answer = await client.call("answerQuestion", {
      task_id: positionals.task,
      answer: jsonOrText(text),
    });
    io.print(answer, () => `run ${answer.run_id} goes on\n`);
    return 0;
  } finally {
    await client.close();
  }
};

function jsonOrText(text: string): Json {
  try {
    return parseStrictJson(text);
  } catch {
    return text;
  }
}
