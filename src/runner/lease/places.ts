import { join } from "node:path";
import { makePrivateDirectory } from "../../base/files.ts";

/** Where one lease keeps what is its own, apart from the workspace that it may share. */
export interface LeasePlaces {
  readonly root: string;
  /** Log spools: never visible to the task. */
  readonly logs: string;
  /** The task writes here: `output.json`. */
  readonly output: string;
  readonly outputFile: string;
  readonly temporary: string;
}

export const leasesDirectory = (dataDirectory: string): string => join(dataDirectory, "leases");

export function leasePlaces(dataDirectory: string, leaseId: string): LeasePlaces {
  const root = join(leasesDirectory(dataDirectory), leaseId);
  const output = join(root, "output");
  return {
    root,
    logs: join(root, "logs"),
    output,
    outputFile: join(output, "output.json"),
    temporary: join(root, "temporary"),
  };
}

export function makePlaces(places: LeasePlaces): void {
  for (const path of [places.logs, places.output, places.temporary]) makePrivateDirectory(path);
}
