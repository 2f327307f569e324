import { checkAssets } from "./check.ts";
import { listAssets } from "./list.ts";
import { showAsset } from "./show.ts";

export const assetOperations = { listAssets, showAsset, checkAssets } as const;
