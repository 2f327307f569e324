import { join, resolve } from "node:path";
import { ImageStore, imagesDirectory } from "../../host/runner-tools.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { DATA_DIRECTORY } from "./import.ts";

export const spec = {
  flags: { "data-dir": DATA_DIRECTORY },
  examples: [{ command: "lightflow runner images", does: "names and digests" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const data = flags["data-dir"];
  const directory = imagesDirectory(
    data === undefined ? join(io.paths.state, "runner") : resolve(io.cwd, data),
  );
  const images = new ImageStore(directory);
  const found = Object.entries(images.names()).map(([name, digest]) => ({ name, digest }));
  io.print({ images: found }, (paint) =>
    found.length === 0
      ? `no images in ${directory}; bring one: lightflow runner import PATH --name NAME\n`
      : tableText([
          ["image", "digest"].map((head) => paint.dim(head)),
          ...found.map(({ name, digest }) => [name, digest]),
        ]),
  );
  return 0;
};
