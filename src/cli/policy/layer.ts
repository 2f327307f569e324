/** The layers of policy that operators publish, and whose the tenant's is. */
export const LAYER = { name: "layer", label: "layer", choices: ["service", "tenant"] } as const;

export const TENANT = {
  type: "string",
  value: "TENANT",
  ids: "tenant",
  default: "default",
  about: "whose, for the layer tenant",
} as const;

/** What says which layer is meant: the service's has no tenant. */
export const layerOf = (layer: "service" | "tenant", tenant: string) => ({
  layer,
  ...(layer === "tenant" ? { tenant } : {}),
});
