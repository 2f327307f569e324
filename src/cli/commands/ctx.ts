import type { CommandRow } from "./row.ts";

/** CortexFS. */
export const CTX: readonly CommandRow[] = [
  { path: "ctx mount", summary: "mount CortexFS", load: () => import("../ctx/mount.ts") },
  { path: "ctx serve", summary: "CortexFS as a plain directory", load: () => import("../ctx/serve.ts") },
  { path: "ctx status", summary: "what is mounted", load: () => import("../ctx/status.ts") },
  { path: "ctx umount", summary: "unmount CortexFS", load: () => import("../ctx/umount.ts") },
];
