import { connectToRead } from "../../host/index.ts";
import type { Io } from "../io.ts";

type Name =
  | "getRunner"
  | "approveRunner"
  | "quarantineRunner"
  | "releaseRunner"
  | "drainRunner"
  | "auditRunner";

/** One operation on one runner: its answer, or a sentence about it on a terminal. */
export async function operateRunner(
  io: Io,
  name: Name,
  input: { runner_id: string; tenant: string; reason?: string | undefined },
  sentence?: (answer: Record<string, unknown>) => string,
): Promise<number> {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = (await client.call(name, { ...input })) as Record<string, unknown>;
    io.print(answer, sentence && (() => sentence(answer)));
    return 0;
  } finally {
    await client.close();
  }
}
