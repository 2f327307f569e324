export { isWithin, type ResolvedMount, resolveMounts } from "./mounts.ts";
export { type OciProbe, probeOci } from "./oci/probe.ts";
export { type ProbeResult, probeSandboxes } from "./probe.ts";
export { processSandbox } from "./process.ts";
export { openProvenCgroups } from "./prove-limits.ts";
export { LEASE_MARKER, WORKSPACE_MARKER } from "./provider.ts";
export type { SandboxCapability, SandboxProvider, SandboxRequest } from "./sandbox.ts";

export { vmSandbox } from "./vm.ts";
