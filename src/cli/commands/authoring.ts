import type { CommandRow } from "./row.ts";

/** Assets: what pipelines are written with. */
export const AUTHORING: readonly CommandRow[] = [
  {
    path: "check",
    summary: "everything that is wrong with the project's files",
    load: () => import("../check.ts"),
  },
  { path: "new", summary: "write a new asset that passes check", load: () => import("../new.ts") },
  {
    path: "explain",
    summary: "what a run of a workflow would do, and where",
    load: () => import("../explain.ts"),
  },
  {
    path: "models install",
    summary: "fetch the files of models, resuming, by digest",
    load: () => import("../models/install.ts"),
  },
  { path: "models verify", summary: "compare them byte for byte", load: () => import("../models/verify.ts") },
  { path: "models list", summary: "models and their files", load: () => import("../models/list.ts") },
  { path: "types", summary: "write the types for an editor", load: () => import("../types.ts") },
  { path: "assets workflows", summary: "the workflows", load: () => import("../assets/workflows.ts") },
  { path: "assets nodes", summary: "the nodes", load: () => import("../assets/nodes.ts") },
  {
    path: "assets compositions",
    summary: "the compositions",
    load: () => import("../assets/compositions.ts"),
  },
  { path: "assets models", summary: "the models", load: () => import("../assets/models.ts") },
  {
    path: "assets show",
    summary: "one workflow: its inputs and steps",
    load: () => import("../assets/show.ts"),
  },
];
