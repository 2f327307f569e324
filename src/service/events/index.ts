import { sendEvent } from "./send.ts";

export const eventOperations = { sendEvent } as const;
