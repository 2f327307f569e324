import { existsSync } from "node:fs";
import type { Io } from "../io.ts";
import { configPath } from "../settings.ts";
import { type Check, failure, good, messageOf } from "./check.ts";

/** The settings file and variables are read as every command reads them. */
export function checkConfig(io: Io): Check {
  const path = configPath(io.paths);
  try {
    io.settings();
    return good("settings", existsSync(path) ? path : `${path} does not exist; the defaults hold`);
  } catch (error) {
    return failure("settings", messageOf(error), "correct it; lightflow config --help lists the settings");
  }
}
