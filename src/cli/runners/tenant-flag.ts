export const TENANT_FLAG = {
  tenant: { type: "string", value: "TENANT", ids: "tenant", default: "default", about: "whose" },
} as const;
