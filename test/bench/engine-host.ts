/**
 * The host of `bench engine`: all roles but the runner, calls allowed to this machine. Arguments: its directory, and a JSON array of documents to
 * publish. Prints its gateway as JSON; ends with its input.
 */
import { join } from "node:path";
import { createLog } from "../../src/base/log.ts";
import { allowAll } from "../../src/calls/index.ts";
import { openHost } from "../../src/host/index.ts";
import { callOperation, service } from "../../src/service/index.ts";

const directory = process.argv[2]!;
const host = await openHost({
  paths: {
    config: join(directory, "config"),
    state: join(directory, "state"),
    cache: join(directory, "cache"),
    runtime: join(directory, "run"),
  },
  log: createLog("warn"),
  root: directory,
  listen: { host: "127.0.0.1", port: 0, controllerPort: 0 },
  runner: null,
  calls: { policy: allowAll },
});
for (const document of JSON.parse(process.argv[3] ?? "[]") as Record<string, unknown>[]) {
  await callOperation(service.publishWorkflow, host.context, { document });
}
console.log(JSON.stringify({ gateway: host.gatewayUrl }));
for await (const _ of Bun.stdin.stream());
await host.stop();
process.exit(0);
