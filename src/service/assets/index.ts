import { checkAssets } from "./check.ts";
import { explainWorkflow } from "./explain.ts";
import { listAssets } from "./list.ts";
import { showAsset } from "./show.ts";

export const assetOperations = { listAssets, showAsset, checkAssets, explainWorkflow } as const;
