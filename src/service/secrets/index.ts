import { listSecrets } from "./list.ts";
import { removeSecret } from "./remove.ts";
import { setSecret } from "./set.ts";

export const secretOperations = { setSecret, listSecrets, removeSecret } as const;
