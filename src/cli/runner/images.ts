import { join, resolve } from "node:path";
import { ImageStore, imagesDirectory } from "../../host/runner-tools.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { DATA_DIRECTORY } from "./import.ts";

export const spec = {
  flags: { "data-dir": DATA_DIRECTORY },
  examples: [{ command: "lightflow runner images", does: "names and digests" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const data = flags["data-dir"];
  const images = new ImageStore(
    imagesDirectory(data === undefined ? join(io.paths.state, "runner") : resolve(io.cwd, data)),
  );
  const found = Object.entries(images.names()).map(([name, digest]) => ({ name, digest }));
  io.print({ images: found }, () => found.map(({ name, digest }) => `${name}\t${digest}\n`).join(""));
  return 0;
};
