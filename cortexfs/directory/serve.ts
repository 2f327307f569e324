import { fail } from "../../src/base/errors.ts";

export interface DirectoryOptions {
  readonly dir: string;
  readonly stateDir: string;
  readonly onReady?: (info: { dir: string; pid: number }) => void;
}
export async function serveDirectory(_options: DirectoryOptions, _signal: AbortSignal): Promise<void> {
  throw fail("unsupported");
}
