export { CHAIN_START, type ChainRow, follow, hashOf } from "./chain.ts";
export { exportLines, verifyExport } from "./export.ts";
