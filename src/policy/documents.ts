import { type Static, Type } from "@sinclair/typebox";
import { closed, Name } from "../protocol/common.ts";

const Description = Type.Optional(Type.String({ maxLength: 4096 }));

/** A pool that tasks may be sent to. */
export const PoolDocument = closed({
  id: Name,
  description: Description,
  /** Who may send tasks there; every tenant where nothing is said. */
  tenants: Type.Optional(Type.Array(Name, { maxItems: 1024 })),
});
export type PoolDocument = Static<typeof PoolDocument>;

/** A tenant as policy knows it. */
export const TenantDocument = closed({
  id: Name,
  description: Description,
  /** The profile of workflows that name none. */
  defaultProfile: Type.Optional(Name),
  /** How much of a busy controller it gets beside the others; 1 where nothing is said. */
  weight: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
});
export type TenantDocument = Static<typeof TenantDocument>;
