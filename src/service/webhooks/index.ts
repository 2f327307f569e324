import { createWebhook } from "./create.ts";
import { listWebhooks } from "./list.ts";
import { removeWebhook } from "./remove.ts";

export const webhookOperations = { createWebhook, listWebhooks, removeWebhook } as const;
