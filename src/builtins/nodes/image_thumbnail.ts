import { type AssetMeta, type CodeContext, node } from "../preload/lightflow.ts";

export const META = {
  id: "image.thumbnail",
  title: "Image Thumbnail",
  kind: "node",
  description: "Makes an image so small that it fits into a square; a smaller one stays as it is.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("image", { type: "artifact", description: "PNG, JPEG, WebP, AVIF, GIF or BMP", required: true })
    .input("size", {
      type: "integer",
      minimum: 8,
      maximum: 2048,
      default: 256,
      description: "Side of the square in pixels",
    })
    .input("format", { type: "string", enum: ["png", "jpeg", "webp", "avif"], default: "png" })
    .input("quality", { type: "integer", minimum: 1, maximum: 100, default: 85, widget: "slider" })
    .output("image", { type: "artifact", required: true })
    .output("width", { type: "integer", required: true })
    .output("height", { type: "integer", required: true })
    .output("format", { type: "string", required: true })
    .code();
}

interface Input {
  readonly image: string;
  readonly size: number;
  readonly format: Encoding["format"];
  readonly quality: number;
}

/** Encode, keep, and say what it became. */
async function keep(ctx: CodeContext, name: string, image: Bun.Image, { format, quality }: Encoding) {
  const encoded =
    format === "png"
      ? image.png()
      : format === "jpeg"
        ? image.jpeg({ quality })
        : format === "webp"
          ? image.webp({ quality })
          : image.avif({ quality });
  const bytes = await encoded.bytes();
  const { width, height } = await new Bun.Image(bytes).metadata();
  return { image: await ctx.keep(`${name}.${format}`, bytes), width, height, format };
}

interface Encoding {
  readonly format: "png" | "jpeg" | "webp" | "avif";
  readonly quality: number;
}

export async function run(input: Input, ctx: CodeContext) {
  const image = new Bun.Image(await Bun.file(ctx.file(input.image)).bytes());
  const { width, height } = await image.metadata();
  const scale = Math.min(1, input.size / Math.max(width, height));
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  return await keep(ctx, "thumbnail", scale < 1 ? image.resize(side(width), side(height)) : image, input);
}
