import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description: "Take a token back. Whoever uses it is refused from the next request on.",
  positionals: [{ name: "id", label: "token id", ids: "token" }],
  flags: {
    tenant: { type: "string", value: "TENANT", default: "default", about: "whose tokens" },
  },
  examples: [{ command: "lightflow token revoke Zk3vXr0aTq2P", does: "the id is the part before the dot" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const token = await client.call("revokeToken", { token_id: positionals.id, tenant: flags.tenant });
    io.print(token, () => `token ${token.id} of ${token.subject} is revoked\n`);
    return 0;
  } finally {
    await client.close();
  }
};
