import type { OutputOf, ServiceName } from "./index.ts";

/** An operation by its member name, wherever it runs: in this process or behind a socket. */
export type Call = <Name extends ServiceName>(
  name: Name,
  input: Record<string, unknown>,
  signal?: AbortSignal,
) => Promise<OutputOf<Name>>;
