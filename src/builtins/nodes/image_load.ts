import { type AssetMeta, type CodeContext, node } from "../preload/lightflow.ts";

export const META = {
  id: "image.load",
  title: "Image Load",
  kind: "node",
  description: "Looks at an image: its size in pixels, its format and its bytes.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("image", { type: "artifact", description: "PNG, JPEG, WebP, AVIF, GIF or BMP", required: true })
    .output("image", { type: "artifact", required: true })
    .output("width", { type: "integer", required: true })
    .output("height", { type: "integer", required: true })
    .output("format", { type: "string", required: true })
    .output("bytes", { type: "integer", required: true })
    .code();
}

interface Input {
  readonly image: string;
}

export async function run(input: Input, ctx: CodeContext) {
  const file = Bun.file(ctx.file(input.image));
  const { width, height, format } = await new Bun.Image(await file.bytes()).metadata();
  return { image: input.image, width, height, format, bytes: file.size };
}
