export const CHAIN_FLAG = {
  tenant: {
    type: "string",
    value: "TENANT",
    ids: "tenant",
    default: "default",
    about: "whose chain; _ is that of messages whose sender nobody knows",
  },
} as const;
