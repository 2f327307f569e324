import { Type } from "@sinclair/typebox";
import { fail } from "../base/errors.ts";
import { bearerToken } from "../base/http.ts";
import { validate } from "../protocol/validate.ts";
import {
  identify,
  localPrincipal,
  loopbackPrincipal,
  type Principal,
  type ServiceContext,
  type ServiceOperation,
} from "../service/index.ts";

/** How a listener learns who calls. */
export type Access =
  /** A token where one is given; the principal of the loopback address where none is. */
  | "loopback"
  /** A token, always. */
  | "token"
  /** The file's rights let only this user in, who may act for another tenant: the roles of a host call each other so. */
  | "socket";

/** By which a role of this host says for whom it calls another one. Read on the Unix socket alone. */
export const ACTING_HEADER = "lightflow-acting-for";

const ActingFor = Type.Object(
  {
    tenantId: Type.String({ minLength: 1, maxLength: 128 }),
    subject: Type.String({ minLength: 1, maxLength: 256 }),
    roles: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { maxItems: 64 })),
  },
  { additionalProperties: false },
);

/**
 * Who sends a request.
 * @throws Failure `unauthenticated`
 */
export function callerOf(context: ServiceContext, access: Access, request: Request): Principal {
  const { headers } = request;
  if (access === "socket") {
    const acting = headers.get(ACTING_HEADER);
    if (acting === null) return context.principal;
    let value: unknown;
    try {
      value = JSON.parse(acting);
    } catch {
      throw fail("invalid_request", `the header ${ACTING_HEADER} is not JSON`);
    }
    const { tenantId, subject, roles } = validate(ActingFor, value);
    const local = localPrincipal(tenantId);
    return { ...local, subject, roles: roles ?? local.roles };
  }
  if (access === "loopback" && !headers.has("authorization")) return loopbackPrincipal(context.tenantId);
  return identify(context, bearerToken(request));
}

/** The context of one call: the caller's, so that no input can name another tenant. */
export function contextFor(context: ServiceContext, principal: Principal): ServiceContext {
  return { ...context, principal, tenantId: principal.tenantId };
}

/** @throws Failure `forbidden` when the credential does not allow what the operation needs */
export function checkScope(
  principal: Principal,
  { name, scope }: Pick<ServiceOperation, "name" | "scope">,
): void {
  if (scope === "public" || principal.scopes.includes(scope)) return;
  throw fail("forbidden", `${name} needs the scope ${scope}`, {
    hint: "create a token that has it: lightflow token create",
    details: { scope },
  });
}
