import { type AssetMeta, type CodeContext, node } from "../preload/lightflow.ts";

export const META = {
  id: "image.resize",
  title: "Image Resize",
  kind: "node",
  description: "Gives an image another size; without a height the proportions stay.",
  stability: "stable",
  version: "1.0.0",
} as const satisfies AssetMeta;

export function define() {
  return node(META.id)
    .input("image", { type: "artifact", description: "PNG, JPEG, WebP, AVIF, GIF or BMP", required: true })
    .input("width", { type: "integer", minimum: 1, maximum: 16384, required: true })
    .input("height", { type: "integer", minimum: 1, maximum: 16384 })
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
  readonly width: number;
  readonly height?: number | null;
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
  return await keep(ctx, "resized", image.resize(input.width, input.height ?? undefined), input);
}
