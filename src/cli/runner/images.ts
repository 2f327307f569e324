import { ImageStore } from "../../host/runner-tools.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { tableText } from "../table-text.ts";
import { PLACE_FLAGS, runnerPlace } from "./place.ts";

export const spec = {
  flags: PLACE_FLAGS,
  examples: [{ command: "lightflow runner images", does: "names and digests" }],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ flags }, io) => {
  const directory = runnerPlace(flags, io).images;
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
