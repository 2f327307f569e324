import { join, resolve } from "node:path";
import { fail } from "../../base/errors.ts";
import { imagesDirectory } from "../../host/runner-tools.ts";
import type { Io } from "../io.ts";
import { readRunnerFile } from "./file.ts";
import { setupOfFile } from "./setup.ts";

/** Which runner of this host a command is about. */
export const PLACE_FLAGS = {
  config: { type: "string", value: "FILE", about: "runner.yaml of the runner" },
  "data-dir": {
    type: "string",
    value: "DIR",
    about: "the runner's data directory",
    defaultText: "that of the runner of `lightflow up`",
  },
} as const;

export interface RunnerPlace {
  readonly data: string;
  readonly images: string;
}

/** @throws Failure `usage` when both flags are given */
export function runnerPlace(
  flags: { readonly config: string | undefined; readonly "data-dir": string | undefined },
  io: Io,
): RunnerPlace {
  const named = flags["data-dir"];
  if (flags.config === undefined) {
    const data = named === undefined ? join(io.paths.state, "runner") : resolve(io.cwd, named);
    return { data, images: imagesDirectory(data) };
  }
  if (named !== undefined)
    throw fail("usage", "--data-dir does not go with --config", { hint: "the file says where it is" });
  const { config } = setupOfFile(readRunnerFile(resolve(io.cwd, flags.config)), io);
  return {
    data: config.dataDirectory,
    images: config.imagesDirectory ?? imagesDirectory(config.dataDirectory),
  };
}
