import { listAssets } from "./list.ts";

export const assetOperations = { listAssets } as const;
