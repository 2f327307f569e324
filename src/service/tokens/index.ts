import { createToken } from "./create.ts";
import { listTokens } from "./list.ts";
import { revokeToken } from "./revoke.ts";

export { identify } from "./identify.ts";

export const tokenOperations = { createToken, listTokens, revokeToken } as const;
