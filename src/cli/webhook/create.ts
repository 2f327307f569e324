import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "Be told at an address when a run has ended, asks something or wants an approval. Each message has an id, a time and a signature (HMAC-SHA256, as Standard Webhooks has it), and is sent again until it is answered with 2xx. The secret is printed this once.",
  positionals: [{ name: "url", label: "address" }],
  flags: {
    event: {
      type: "list",
      value: "EVENT",
      choices: ["run.ended", "ask", "approval"],
      about: "what to be told of; may be repeated",
      defaultText: "all of them",
    },
  },
  examples: [
    {
      command: "lightflow webhook create https://example.com/hook --event ask",
      does: "only when something is asked",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const events = flags.event.length === 0 ? {} : { events: [...new Set(flags.event)] };
    const made = await client.call("createWebhook", { url: positionals.url, ...events });
    io.print(made, () => `webhook ${made.id}, its secret: ${made.secret}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
