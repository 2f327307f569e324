import { isObject } from "../../base/json.ts";
import { LIMITS } from "../../base/limits.ts";
import { showOnceOrLive } from "../live.ts";
import type { Paint } from "../paint.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { TENANT_FLAG } from "./tenant-flag.ts";

export const spec = {
  flags: {
    watch: { type: "boolean", about: "go on showing it, until Ctrl-C" },
    ...TENANT_FLAG,
  },
  examples: [
    {
      command: "lightflow runners list",
      does: "every runner, whether it is connected (or gone: not heard of), which sandboxes it proved",
    },
    { command: "lightflow runners list --watch", does: "the same, live" },
  ],
} as const satisfies CommandSpec;

/** The sandbox providers of a registration. */
export function sandboxesOf(registration: unknown): string[] {
  const sandbox = isObject(registration) ? registration["sandbox"] : null;
  const providers = isObject(sandbox) ? (sandbox["providers"] as { provider: string }[]) : [];
  return providers.map((each) => each.provider);
}

interface Listed {
  runner_id: string;
  host_id: string;
  state: string;
  reason: string | null;
  session: null | {
    state: string;
    reason: string | null;
    healthy: boolean;
    last_seen_at: string;
    registration: unknown;
    active_leases: number;
  };
}

/** A runner that stopped, or was cut off, leaves its session behind until it comes again. */
function sessionText(session: Listed["session"]): string {
  if (session === null) return "none";
  if (Date.now() - Date.parse(session.last_seen_at) > LIMITS.sessionSilentMs) return "gone";
  return session.healthy ? session.state : "unhealthy";
}

function table({ runners }: { runners: Listed[] }, paint: Paint): string {
  return tableText([
    ["runner", "host", "approval", "session", "sandboxes", "active", "last seen", "why"].map((head) =>
      paint.dim(head),
    ),
    ...runners.map((each) => [
      each.runner_id,
      each.host_id,
      each.state,
      sessionText(each.session),
      sandboxesOf(each.session?.registration).join(", "),
      String(each.session?.active_leases ?? 0),
      each.session?.last_seen_at ?? "",
      each.reason ?? each.session?.reason ?? "",
    ]),
  ]);
}

export const run: Run<typeof spec> = ({ flags }, io) =>
  showOnceOrLive(io, {
    watch: flags.watch,
    ask: (client) => client.call("listRunners", { tenant: flags.tenant }),
    readable: table,
  });
