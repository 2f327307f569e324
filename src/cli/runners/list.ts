import { isObject } from "../../base/json.ts";
import { connectToRead } from "../../host/index.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";

export const spec = {
  examples: [
    {
      command: "lightflow runners list",
      does: "every runner, whether it is connected, which sandboxes it proved",
    },
  ],
} as const satisfies CommandSpec;

/** The sandbox providers of a registration. */
export function sandboxesOf(registration: unknown): string[] {
  const sandbox = isObject(registration) ? registration["sandbox"] : null;
  const providers = isObject(sandbox) ? (sandbox["providers"] as { provider: string }[]) : [];
  return providers.map((each) => each.provider);
}

export const run: Run<typeof spec> = async (_args, io) => {
  const client = await connectToRead(io.paths, io.log(), io.root());
  try {
    const answer = await client.call("listRunners", {});
    io.print(answer, (paint) =>
      tableText([
        ["runner", "tenant", "approval", "session", "sandboxes", "active", "last seen"].map((head) =>
          paint.dim(head),
        ),
        ...answer.runners.map((each) => [
          each.runner_id,
          each.tenant_id,
          each.state,
          each.session?.state ?? "none",
          sandboxesOf(each.session?.registration).join(", "),
          String(each.session?.active_leases ?? 0),
          each.session?.last_seen_at ?? "",
        ]),
      ]),
    );
    return 0;
  } finally {
    await client.close();
  }
};
