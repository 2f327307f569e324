import { join } from "node:path";
import { makePrivateDirectory } from "../../base/files.ts";

/** Where one lease keeps what is its own, apart from the workspace that it may share. */
export interface LeasePlaces {
  readonly root: string;
  /** Log spools: never visible to the task. */
  readonly logs: string;
  readonly temporary: string;
  /** Directories of the sockets by which the task speaks with this runner. */
  readonly egress: string;
  readonly agent: string;
}

export const leasesDirectory = (dataDirectory: string): string => join(dataDirectory, "leases");

export function leasePlaces(dataDirectory: string, leaseId: string): LeasePlaces {
  return placesAt(join(leasesDirectory(dataDirectory), leaseId));
}

export function placesAt(root: string): LeasePlaces {
  return {
    root,
    logs: join(root, "logs"),
    temporary: join(root, "temporary"),
    egress: join(root, "egress"),
    agent: join(root, "agent"),
  };
}

/** Where the task leaves its output: in its workspace, so that the sandbox needs no mount more. */
export const outputFile = (workspaceRoot: string, leaseId: string): string =>
  join(workspaceRoot, "output", `${leaseId}.json`);

export function makePlaces(places: LeasePlaces): void {
  for (const path of [places.logs, places.temporary]) makePrivateDirectory(path);
}
