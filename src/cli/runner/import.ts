import { resolve } from "node:path";
import { ImageStore } from "../../host/runner-tools.ts";
import type { CommandSpec, Run } from "../spec.ts";
import { PLACE_FLAGS, runnerPlace } from "./place.ts";

export const spec = {
  description:
    "Bring an image to a runner, from an OCI image layout: a directory, or a tar file of one. A runner pulls nothing itself, so what a name means is decided here. A runner that had no image before has to be started again.",
  positionals: [{ name: "path", label: "image layout" }],
  flags: {
    name: { type: "string", value: "NAME", about: "what documents call it", required: true },
    ...PLACE_FLAGS,
  },
  examples: [
    {
      command:
        "podman save --format oci-archive -o alpine.tar alpine && lightflow runner import alpine.tar --name alpine",
      does: "let `run: {container: {image: alpine}}` run here",
    },
  ],
} as const satisfies CommandSpec;

export const run: Run<typeof spec> = async ({ positionals, flags }, io) => {
  const images = new ImageStore(runnerPlace(flags, io).images);
  const digest = await images.import(resolve(io.cwd, positionals.path), flags.name);
  io.print({ name: flags.name, digest }, () => `${flags.name} is ${digest}\n`);
  return 0;
};
