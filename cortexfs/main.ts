/** The daemon by itself, for development: `bun cortexfs/main.ts mount --at DIR [--state DIR] [--allow-other]`. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fail, toFailure, toProblem } from "../src/base/errors.ts";
import { xdgPaths } from "../src/base/xdg.ts";
import { mountCommand, serveDirectory, status, umount } from "./commands.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    at: { type: "string", default: "/ctx" },
    dir: { type: "string" },
    state: { type: "string", default: join(xdgPaths().state, "cortexfs") },
    "allow-other": { type: "boolean", default: false },
    "ttl-ms": { type: "string", default: "1000" },
  },
});

const stop = new AbortController();
for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => stop.abort());
const say = (value: unknown): void => console.log(JSON.stringify(value));

async function run(): Promise<void> {
  const stateDir = values.state;
  switch (positionals[0]) {
    case "mount":
      await mountCommand(
        {
          at: values.at,
          allowOther: values["allow-other"],
          stateDir,
          config: { fixedTtlMs: Number(values["ttl-ms"]) },
          onReady: say,
        },
        stop.signal,
      );
      break;
    case "serve":
      if (values.dir === undefined) throw fail("usage", "serve needs --dir");
      await serveDirectory({ dir: values.dir, stateDir, onReady: say }, stop.signal);
      break;
    case "status":
      say(await status({ at: values.at }));
      break;
    case "umount":
      say(await umount({ at: values.at }));
      break;
    default:
      throw fail("usage", "commands: mount, serve, status, umount");
  }
}

try {
  await run();
  process.exit(0);
} catch (error) {
  console.error(JSON.stringify(toProblem(toFailure(error))));
  process.exit(1);
}
