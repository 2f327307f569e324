import type { CommandRow } from "./row.ts";

/** The store, the settings, this machine. */
export const UPKEEP: readonly CommandRow[] = [
  { path: "db check", summary: "whether the store is sound", load: () => import("../db/check.ts") },
  { path: "db backup", summary: "a consistent copy of the store", load: () => import("../db/backup.ts") },
  {
    path: "db compact",
    summary: "move histories of old runs into artifacts",
    load: () => import("../db/compact.ts"),
  },
  {
    path: "db restore",
    summary: "put a backup in the store's place",
    load: () => import("../db/restore.ts"),
  },
  {
    path: "doctor",
    summary: "try each prerequisite and say how to get what is missing",
    load: () => import("../doctor.ts"),
  },
  {
    path: "config show",
    summary: "the settings in effect and where each comes from",
    load: () => import("../config/show.ts"),
  },
  {
    path: "config path",
    summary: "where the settings, state, cache and socket are",
    load: () => import("../config/path.ts"),
  },
  {
    path: "completion",
    summary: "a completion script for bash, zsh or fish",
    load: () => import("../completion.ts"),
  },
  {
    path: "completion ids",
    summary: "ids that exist, as the completion scripts ask for them",
    load: () => import("../completion/ids.ts"),
  },
  {
    path: "help",
    summary: "how a command is used, or a topic such as exit-codes",
    load: () => import("../help.ts"),
  },
];
