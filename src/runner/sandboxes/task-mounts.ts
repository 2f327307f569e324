import { isWithin } from "./mounts.ts";
import type { SandboxRequest } from "./sandbox.ts";

/** What a task sees of the host beside the system; an empty private directory where there is no source. */
export interface TaskMount {
  readonly source: string | null;
  readonly target: string;
  readonly readOnly: boolean;
}

/** The mounts of one task, in the order in which they are made. */
export function taskMounts(
  dataDirectory: string,
  request: Pick<SandboxRequest, "mounts" | "writable">,
): TaskMount[] {
  // Parents first, so that a mount inside another mount is not covered by it.
  const binds = [
    ...request.mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    ...request.writable.map((path) => ({ source: path, target: path, readOnly: false })),
  ].sort((a, b) => a.target.length - b.target.length);
  if (!request.mounts.some((mount) => isWithin(dataDirectory, mount.target))) return binds;
  // A mount that contains the runner's own directory shows it empty: journals of other tasks are not for this one.
  const first = binds.findIndex((bind) => isWithin(bind.target, dataDirectory));
  const hidden = { source: null, target: dataDirectory, readOnly: false };
  return [...binds.slice(0, first), hidden, ...binds.slice(first)];
}
