import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Paths } from "../base/xdg.ts";

/** Where a host of this user listens. */
export const socketPath = (paths: Paths): string => join(paths.runtime, "api.sock");

export interface HostHealth {
  readonly version: string;
  readonly state: string;
  readonly orchestrator: boolean;
}

/** Who answers on a socket, or null when nobody does. @param signal gives up waiting; by default after 2 s */
export async function probeSocket(
  path: string,
  signal = AbortSignal.timeout(2000),
): Promise<HostHealth | null> {
  if (!existsSync(path)) return null;
  try {
    const response = await fetch("http://localhost/health", { unix: path, signal } as RequestInit);
    return (await response.json()) as HostHealth;
  } catch {
    return null;
  }
}
