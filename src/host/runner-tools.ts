/** Parts of the runner role that need no controller; its own folder is only reached through here. */
export {
  describeRunner,
  diagnoseRunner,
  execLease,
  ImageStore,
  imagesDirectory,
  type RunnerCheck,
  type RunnerConfig,
  RunnerFile,
  type TlsFiles,
} from "../runner/index.ts";
