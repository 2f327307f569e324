import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CortexPlace } from "./paths.ts";

const PROBE_MS = 2000;

export interface CortexProbe {
  readonly available: boolean;
  readonly status?: string;
  readonly abi?: string;
  readonly version?: string;
}

/** Whether a CortexFS answers at the place. A mount that does not answer within two seconds is not available. */
export async function probeCortex({ mount }: CortexPlace): Promise<CortexProbe> {
  const read = (path: string): Promise<string> =>
    readFile(join(mount, path), "utf8").then((text) => text.trim());
  const answer = Promise.all([read("status"), read("control/abi"), read("control/version")]).then(
    ([status, abi, version]): CortexProbe => ({ available: status === "ready", status, abi, version }),
    (): CortexProbe => ({ available: false }),
  );
  return Promise.race([answer, Bun.sleep(PROBE_MS).then((): CortexProbe => ({ available: false }))]);
}
