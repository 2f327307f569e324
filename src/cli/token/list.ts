import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  flags: {
    tenant: { type: "string", value: "TENANT", ids: "tenant", default: "default", about: "whose tokens" },
  },
  examples: [
    { command: "lightflow token list", does: "never the tokens themselves: only their digests are kept" },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const answer = await client.call("listTokens", { tenant: flags.tenant });
    io.print(answer, (paint) =>
      answer.tokens.length === 0
        ? "there are no tokens; make one: lightflow token create NAME --scope read\n"
        : tableText([
            ["id", "subject", "scopes", "roles", "expires", "revoked"].map((head) => paint.dim(head)),
            ...answer.tokens.map((each) => [
              each.id,
              each.subject,
              each.scopes.join(", "),
              each.roles.join(", "),
              each.expires_at,
              each.revoked_at ?? "",
            ]),
          ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
