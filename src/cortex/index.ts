/** LightFlow's client of `/ctx`: plain file operations on whatever serves the contract. There is no other link. */
export { exchangeOnce } from "./exchange.ts";
export { readJob, submitHook, submitJob } from "./job.ts";
export {
  type Outcome,
  parseRoute,
  type RouteMetadata,
  readOutcome,
  responseOf,
  type WaitOptions,
  waitForOutcome,
} from "./outcome.ts";
export {
  API_FORMATS,
  type ApiFormat,
  apiTarget,
  type CortexPlace,
  channelPaths,
  checkSegment,
  cortexHome,
  cortexPlace,
  hookPaths,
  jobPaths,
  type RequestTarget,
  type TargetKind,
  threadTarget,
  toolTarget,
} from "./paths.ts";
export { type CortexProbe, probeCortex } from "./probe.ts";
export { submit } from "./submit.ts";
