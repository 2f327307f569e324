import { LOG_LEVELS } from "../base/log.ts";
import type { FlagSpec } from "./spec.ts";

/** The flags that every command takes, before or behind its name. */
export const GLOBAL_FLAGS = {
  help: { type: "boolean", about: "show how the command is used (-h too)" },
  json: { type: "boolean", about: "JSON on stdout and for errors on stderr, on a terminal too" },
  "log-level": {
    type: "string",
    value: "LEVEL",
    choices: LOG_LEVELS,
    env: "LIGHTFLOW_LOG_LEVEL",
    defaultText: "warn",
    about: "how much of what goes on is told on stderr",
  },
  root: {
    type: "string",
    value: "DIR",
    env: "LIGHTFLOW_ROOT",
    defaultText: "the working directory",
    about: "the project to work in",
  },
  "no-color": { type: "boolean", about: "no colours on a terminal (NO_COLOR too)" },
} as const satisfies Record<string, FlagSpec>;
