import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";

export const spec = {
  description:
    "A bearer token for the gateway: whom it names, which tenant it belongs to and what it allows. It is printed this once; the store keeps its digest. Every request from another machine needs one.",
  positionals: [{ name: "subject", label: "subject" }],
  flags: {
    scope: {
      type: "list",
      value: "SCOPE",
      choices: ["read", "run", "admin"],
      about: "what it allows: look, start and change runs, operate; may be repeated",
      defaultText: "read",
    },
    role: { type: "list", value: "ROLE", about: "a role that policies and approvals know; may be repeated" },
    days: {
      type: "integer",
      value: "N",
      minimum: 1,
      maximum: 3650,
      default: 90,
      about: "how long it is valid",
    },
    tenant: {
      type: "string",
      value: "TENANT",
      ids: "tenant",
      default: "default",
      about: "whose runs it sees",
    },
  },
  examples: [
    {
      command: "lightflow token create ci --scope read --scope run --days 30",
      does: "then: curl -H 'authorization: Bearer TOKEN' …",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root(), true);
  try {
    const token = await client.call("createToken", {
      subject: positionals.subject,
      scopes: flags.scope.length > 0 ? [...new Set(flags.scope)] : ["read"],
      roles: [...new Set(flags.role)],
      days: flags.days,
      tenant: flags.tenant,
    });
    io.print(token, () => `${token.token}\n`);
    return 0;
  } finally {
    await client.close();
  }
};
