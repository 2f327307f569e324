/** A host whose run `r` gets EVENTS lines a second for SECONDS, each with the time it was written. Prints its URL. */
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import { openHost } from "../../src/host/index.ts";
import { appendLines } from "../support/history.ts";

const [directory, root, rate, seconds] = process.argv.slice(2) as [string, string, string, string];
const host = await openHost({
  paths: {
    config: directory,
    state: join(directory, "state"),
    cache: directory,
    runtime: join(directory, "run"),
  },
  log: silentLog,
  root,
  listen: { host: "127.0.0.1", port: 0, controllerPort: 0 },
  runner: null,
});
console.log(host.gatewayUrl);
for await (const _ of console) break;
const begun = performance.now();
const total = Number(rate) * Number(seconds);
let written = 0;
while (written < total) {
  const due = Math.floor(((performance.now() - begun) / 1000) * Number(rate)) + 1;
  for (; written < Math.min(due, total); written++) void appendLines(host, "r", 1, String(Date.now()));
  await Bun.sleep(5);
}
await Bun.sleep(1500);
console.log(JSON.stringify({ written, rss: process.memoryUsage().rss }));
await host.stop();
process.exit(0);
