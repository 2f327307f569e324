import type { CommandRow } from "./row.ts";

/** CortexFS. */
export const CTX: readonly CommandRow[] = [
  { path: "ctx mount", summary: "mount CortexFS", load: () => import("../ctx/mount.ts") },
  { path: "ctx serve", summary: "CortexFS as a plain directory", load: () => import("../ctx/serve.ts") },
  { path: "ctx status", summary: "what is mounted", load: () => import("../ctx/status.ts") },
  { path: "ctx umount", summary: "unmount CortexFS", load: () => import("../ctx/umount.ts") },
  { path: "ctx abi", summary: "where CortexFS is for this user", load: () => import("../ctx/abi.ts") },
  { path: "ctx api", summary: "the files of a request to a model", load: () => import("../ctx/api.ts") },
  { path: "ctx tool", summary: "the files of a request to a tool", load: () => import("../ctx/tool.ts") },
  {
    path: "ctx thread",
    summary: "the files of a message to a thread",
    load: () => import("../ctx/thread.ts"),
  },
  { path: "ctx chan", summary: "the files of a channel", load: () => import("../ctx/chan.ts") },
  { path: "ctx job", summary: "the files of a job", load: () => import("../ctx/job.ts") },
  { path: "ctx hook", summary: "the files of a hook", load: () => import("../ctx/hook.ts") },
];
