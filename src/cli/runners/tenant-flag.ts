export const TENANT_FLAG = {
  tenant: { type: "string", value: "TENANT", default: "default", about: "whose" },
} as const;
