export { exampleLease } from "../protocol/example.ts";
/** Parts of the runner role that need no controller; its own folder is only reached through here. */
export {
  describeRunner,
  diagnoseRunner,
  execLease,
  frozenPlace,
  ImageStore,
  imagesDirectory,
  listFrozen,
  type RunnerCheck,
  type RunnerConfig,
  RunnerFile,
  removeFrozen,
  type TlsFiles,
} from "../runner/index.ts";
