import { ANYBODY } from "../store/index.ts";

/** What a credential allows: `read` looks, `run` starts and changes runs, `admin` operates the control plane. */
export type Scope = "read" | "run" | "admin";

/** Who calls, as the surface established it; the body of a request never says. */
export interface Principal {
  /** `user:1000`, `token:ci`; what histories and the audit name as the actor. */
  readonly subject: string;
  readonly tenantId: string;
  readonly roles: readonly string[];
  readonly scopes: readonly Scope[];
}

/** Whoever reaches the loopback address of a host that asks for no token there. */
export function loopbackPrincipal(tenantId: string): Principal {
  return { ...localPrincipal(tenantId), subject: ANYBODY };
}

let user: string | undefined;

/** The user of this host, over the Unix socket or in this process: may do everything. */
export function localPrincipal(tenantId: string): Principal {
  user ??= `user:${process.getuid?.() ?? 0}`;
  return {
    subject: user,
    tenantId,
    roles: ["admin"],
    scopes: ["read", "run", "admin"],
  };
}
