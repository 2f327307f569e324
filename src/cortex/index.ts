/** LightFlow's client of `/ctx`: plain file operations on whatever serves the contract. There is no other link. */
export { exchangeOnce } from "./exchange.ts";
export { readJob, submitJob } from "./job.ts";
export { type Outcome, parseRoute, readOutcome, responseOf, waitForOutcome } from "./outcome.ts";
export {
  apiTarget,
  type CortexPlace,
  channelPaths,
  cortexHome,
  cortexPlace,
  hookPaths,
  jobPaths,
  type RequestTarget,
  threadTarget,
  toolTarget,
} from "./paths.ts";
export { probeCortex } from "./probe.ts";
export { submit } from "./submit.ts";
