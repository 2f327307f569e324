import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/base/log.ts";
import { type Host, openHost } from "../../src/host/index.ts";
import { atEnd } from "./orchestrator.ts";

/** A host of this process with a runner of its own, which listens nowhere. */
export async function hostWithRunner(): Promise<{ host: Host; directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), "host-"));
  const at = (name: string) => join(directory, name);
  const host = await openHost({
    paths: { config: at("config"), state: at("state"), cache: at("cache"), runtime: at("run") },
    log: silentLog,
    root: directory,
    listen: null,
    runner: { slots: 1, sandbox: "process" },
  });
  atEnd(async () => {
    await host.stop();
    rmSync(directory, { recursive: true });
  });
  return { host, directory };
}
