import { expect, test } from "bun:test";
import { StdioTransport } from "./stdio-transport.ts";

const MESSAGE = '{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}';

test("a server that never stops leaves others their turn, also while nobody asks it anything, and is ended", async () => {
  for (const line of [MESSAGE, '{"jsonrpc":"2.0","id":99,"result":{}}']) {
    const transport = new StdioTransport({
      command: "/bin/sh",
      arguments: ["-c", `exec yes '${line}'`],
      environment: { PATH: "/usr/bin:/bin" },
      stderr: "ignore",
      messageBytes: 8 * 1024 * 1024,
    });
    let turns = 0;
    let messages = 0;
    const timer = setInterval(() => turns++, 1);
    const closed = Promise.withResolvers<void>();
    transport.onclose = () => closed.resolve();
    transport.onmessage = () => {
      messages++;
      // As a client does with what it cannot do.
      void transport.send({ jsonrpc: "2.0", id: 7, error: { code: -32601, message: "no" } });
    };
    await transport.start();
    await closed.promise;
    clearInterval(timer);
    expect(transport.failure?.code).toBe("mcp_output_too_large");
    expect(messages).toBeGreaterThan(1000);
    expect(turns).toBeGreaterThan(2);
  }
}, 20_000);
