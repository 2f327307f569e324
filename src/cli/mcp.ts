import { createMcpServer } from "../gateway/mcp.ts";
import { connectOrHost } from "../host/index.ts";
import { exitOf, untilStopped } from "./serve-role.ts";
import type { CommandSpec, Run } from "./spec.ts";

export const spec = {
  description:
    "Speaks the Model Context Protocol on stdin and stdout, for agents that start their tools themselves. Uses a running `lightflow up`; without one it hosts the roles itself for as long as it runs.",
  examples: [
    {
      command: "lightflow mcp --root my-project",
      does: 'in a client\'s settings: {"command":"lightflow","args":["mcp","--root","/path/to/project"]}',
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async (_args, io) => {
  const stop = io.stop();
  const { StdioServerTransport } = await import("@modelcontextprotocol/sdk/server/stdio.js");
  const client = await connectOrHost({
    paths: io.paths,
    log: io.log(),
    root: io.root(),
    runner: io.settings().runner,
  });
  try {
    // The user of this host may do everything that the tools offer.
    const server = await createMcpServer({ call: client.call, allow: () => {} });
    const output = {
      write(line: string) {
        io.stdout.write(line);
        return true;
      },
    };
    const transport = new StdioServerTransport(process.stdin, output as never);
    const ended = new Promise<void>((resolve) => process.stdin.once("end", resolve));
    await server.connect(transport);
    await Promise.race([untilStopped(stop), ended]);
    await server.close();
  } finally {
    await client.close({ abandon: true });
  }
  return exitOf(stop);
};
