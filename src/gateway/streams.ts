export { streamInfo } from "./streams/info.ts";
export { snapshotFrame } from "./streams/snapshot.ts";
