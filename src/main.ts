#!/usr/bin/env bun
import { VERSION } from "./base/version.ts";

// Whatever is imported above is loaded by every call, so the command line itself comes in only when it is needed.
const argv = process.argv.slice(2);
if (argv.length === 1 && argv[0] === "--version") {
  console.log(VERSION);
} else if (argv[0] === "code-child") {
  // The function of a node, inside the sandbox of its task: nothing of the command line is needed there.
  const { runCode } = await import("./code/child.ts");
  process.exit(await runCode(argv[1], argv[2]));
} else if (argv[0] === "egress-relay") {
  // Beside a task in a sandbox whose network is its own: the way to the proxy outside.
  const { runRelay } = await import("./code/relay.ts");
  process.exit(await runRelay(argv.slice(1)));
} else if (argv[0] === "call-child") {
  // A call into the tenant's network or to a program of its host, inside the sandbox of its task.
  const { runCallChild } = await import("./code/call-child.ts");
  process.exit(await runCallChild(argv.slice(1)));
} else if (argv[0] === "action-child") {
  // A fixed action, inside the sandbox of its task.
  const { runAction } = await import("./actions/child.ts");
  process.exit(await runAction(argv[1]));
} else if (argv[0] === "agent-child") {
  // The worker of an agent, inside the sandbox of its call.
  const { runAgent } = await import("./agent/child.ts");
  process.exit(await runAgent());
} else {
  const { main } = await import("./cli/main.ts");
  // Output is written when it is written, so nothing is cut off; and no handle that a command left open keeps it alive.
  process.exit(await main(argv));
}
