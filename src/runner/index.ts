export { effectiveConfig, RunnerConfig } from "./config.ts";
export { describeRunner } from "./describe.ts";
export { diagnoseRunner, type RunnerCheck, type RunnerDoctorOptions } from "./doctor.ts";
export { type ExecOptions, execLease } from "./exec.ts";
export { RunnerFile } from "./file.ts";
export { loadIdentity } from "./identity.ts";
export { hasImages, ImageStore, imagesDirectory } from "./images/store.ts";
export { type RunnerOptions, type RunningRunner, startRunner } from "./runner.ts";
export { type ClientTls, fetchWith, readTls, type TlsFiles } from "./wire/tls.ts";
