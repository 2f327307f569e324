export { CHAIN_START, type ChainEnd, type ChainRow, follow, hashOf } from "./chain.ts";
export { type ExportReport, exportLines, verifyExport } from "./export.ts";
